"""A parser made of a source file; it enters by the door of the plug-ins."""

from collections.abc import Mapping
from string import Formatter
from types import MappingProxyType
from typing import Any

import orjson

from soc.errors import Refused
from soc.ingest import fields
from soc.ingest.parsers.ecs import Ecs
from soc.ingest.sources import shape, times
from soc.ingest.sources.model import Convert, EventId, Format, Source, as_tuple
from soc.model.event import Row

BOOLEANS = MappingProxyType(
    {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
)
LONGEST_NUMBER = 78
ECS = Ecs()


def parser_of(source: Source) -> "JsonSource | TextSource":
    """Return the parser that *source* describes."""
    return JsonSource(source) if source.format is Format.JSON else TextSource(source)


class JsonSource:
    """Takes the JSON objects that a source file claims."""

    def __init__(self, source: Source) -> None:
        self.name = source.name
        self.marks = _marks(source)
        self._match = _Fields(source)
        self._mapping = _Mapping(source)

    def claims(self, document: Mapping[str, Any]) -> bool:
        """Return whether *document* is of this source."""
        return not self._match.missing(document)

    def parse(self, line: str, document: Mapping[str, Any]) -> Row:  # noqa: ARG002 - the door's own signature
        """Return the event; raises Refused saying what the line lacks."""
        if missing := self._match.missing(document):
            raise Refused(missing)
        return self._mapping.row(document)

    def explain(self, text: str) -> Row:
        """Return the event that *text* is; raises Refused, also for what is not claimed."""
        return self.parse(text, fields.object_of(text))


class TextSource:
    """Takes the lines that a source file claims."""

    text = True

    def __init__(self, source: Source) -> None:
        self.name = source.name
        match = source.match
        self._starts, self._contains = (match.starts_with, match.contains) if match else ("", ())
        anywhere = match.pattern if match else None
        self._anywhere = shape.compiled(anywhere) if anywhere else None
        self._split = _split(source)
        # A regex without more is its own claim; pairs and columns are looked into if asked to.
        self._looks_inside = not match or bool(match.has or match.fields)
        self._match = _Fields(source)
        self._mapping = _Mapping(source)

    def claims(self, line: str) -> bool:
        """Return whether *line* is of this source."""
        if self._unlike(line):
            return False
        try:
            return not self._looks_inside or not self._match.missing(self._split(line))
        except Refused:
            return False

    def parse(self, line: str) -> Row:
        """Return the event; raises Refused saying what the line lacks."""
        if unlike := self._unlike(line):
            raise Refused(unlike)
        found = self._split(line)
        if missing := self._match.missing(found):
            raise Refused(missing)
        return self._mapping.row(found, line)

    explain = parse

    def _unlike(self, line: str) -> str:
        """Return why *line* is of another source, or nothing."""
        if not line.startswith(self._starts):
            return f"does not start with {self._starts!r}"
        if lacking := [part for part in self._contains if part not in line]:
            return f"does not contain {lacking[0]!r}"
        if self._anywhere and not self._anywhere.search(line):
            return "does not match match.pattern"
        return ""


class _Fields:
    """What a document must have to be claimed."""

    def __init__(self, source: Source) -> None:
        match = source.match
        self._has = match.has if match else ()
        self._values = {n: frozenset(v) for n, v in match.fields.items()} if match else {}

    def missing(self, document: Mapping[str, Any]) -> str:
        """Return why *document* is of another source, or nothing."""
        for name in self._has:
            if fields.find(document, name) is None:
                return f"has no field {name!r}"
        for name, values in self._values.items():
            if (said := fields.text(document, name)) not in values:
                return f"{name} is {said!r}, not one of {', '.join(sorted(values))}"
        return ""


class _Mapping:
    """Turns the fields of a line into an event of ECS."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._when = times.reader(source.timestamp.format, source.timestamp.zone)
        self._targets = {name: as_tuple(given) for name, given in source.fields.items()}
        # Of a text the line itself is kept. Of JSON, what is written otherwise stays as it was.
        changed = {*source.values, *source.convert} if source.format is Format.JSON else set()
        stamp = set() if source.format is Format.JSON else {source.timestamp.field}
        self._used = frozenset({*source.fields, *stamp} - changed)

    def row(self, found: Mapping[str, Any], original: str | None = None) -> Row:
        source = self._source
        for name in source.required:
            if fields.find(found, name) is None:
                raise Refused(f"no field {name!r}")
        moment = self._moment(found)
        document: dict[str, Any] = {"@timestamp": moment.isoformat()}
        for name, value in source.constants.items():
            _put(document, name, list(value) if isinstance(value, tuple) else value)
        _put(document, "event.dataset", source.dataset)
        for name, targets in self._targets.items():
            if (value := self._value(found, name)) is not None:
                for target in targets:
                    _put(document, target, value)
        if source.id and (event_id := _id_of(source.id, found)):
            _put(document, "event.id", event_id)
        if original is not None:
            _put(document, "event.original", original)
        self._keep_the_rest(document, found)
        raw = orjson.dumps(document).decode()
        return ECS.parse(raw, document)._replace(parser=source.name)

    def _moment(self, found: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a datetime
        stamp = self._source.timestamp
        said = fields.find(found, stamp.field)
        if said is None or isinstance(said, dict | list | bool):
            raise Refused(f"no time in {stamp.field!r}")
        return self._when(str(said))

    def _value(self, found: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - any JSON value
        value = fields.find(found, name)
        if instead := self._source.values.get(name):
            value = instead.get(str(value), value)
        kind = self._source.convert.get(name)
        return value if kind is None or value is None else _converted(value, kind, name)

    def _keep_the_rest(self, document: dict[str, Any], found: Mapping[str, Any]) -> None:
        rest = {name: value for name, value in found.items() if name not in self._used}
        if not rest:
            return
        own = document.setdefault(self._source.name, {})
        if isinstance(own, dict):
            for name, value in rest.items():
                own.setdefault(name, value)


def _marks(source: Source) -> frozenset[str]:
    """Return the top-level keys of which an object has one if it has the first field asked for."""
    match = source.match
    (name, *_) = (*match.has, *match.fields) if match else ("",)
    parts = name.split(".")
    return frozenset(".".join(parts[:size]) for size in range(1, len(parts) + 1))


def _split(source: Source) -> shape.Split:
    if source.format is Format.KV:
        return shape.pairs(source.separator, source.assign)
    if source.format is Format.CSV:
        return shape.columns(source.columns, source.delimiter)
    return shape.groups(source.pattern or "")


def _put(document: dict[str, Any], name: str, value: object) -> None:
    """Put *value* at dotted *name*; what was there before stays where it is no object."""
    *outer, last = name.split(".")
    for part in outer:
        inner = document.setdefault(part, {})
        if not isinstance(inner, dict):
            raise Refused(f"{name}: {part!r} holds a value already")
        document = inner
    document[last] = value


def _id_of(given: EventId, found: Mapping[str, Any]) -> str | None:
    """Return the id; None where a field that it needs is not there, so nothing is merged."""
    if given.template is None:
        return fields.text(found, given.field or "")
    pieces = []
    for literal, name, _, _ in Formatter().parse(given.template):
        pieces.append(literal)
        if name is not None:
            if (value := fields.text(found, name)) is None:
                return None
            pieces.append(value)
    return "".join(pieces)[: fields.MAX_TEXT]


def _converted(value: object, kind: Convert, name: str) -> object:
    text = str(value).strip().lower()
    if kind is Convert.LOWER:
        return str(value).lower()
    if kind is Convert.BOOLEAN and text in BOOLEANS:
        return BOOLEANS[text]
    try:
        if kind is Convert.INTEGER and len(text) <= LONGEST_NUMBER:
            return int(text)
        if kind is Convert.NUMBER and len(text) <= LONGEST_NUMBER:
            return float(text)
    except ValueError:
        pass
    raise Refused(f"{name} is {text[:64]!r}, no {kind}")
