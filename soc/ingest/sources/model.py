"""A source as people write it: ``sources/*.yml`` of the site, schema ``commonwatch.source/1``."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from soc.content.document import did_you_mean
from soc.content.kinds import Described, load
from soc.ingest.sources import shape, times
from soc.model.value import Slug, Value

GROUPS = frozenset(
    """
    agent as client cloud code_signature container data_stream destination device dll dns ecs elf
    email error event faas file geo group hash host http interface labels log message network
    observer orchestrator organization os package pe process registry related risk rule server
    service source span tags threat tls trace transaction url user user_agent vlan volume
    vulnerability x509 chain wallet counterparty funding indexer
    """.split()  # noqa: SIM905 - one list a line each would be a page
)
"""The field sets of ECS 8 and those of this suite."""
RESERVED = frozenset({"auto", "ecs", "evtx", "ndjson", "soc"})
"""Names that mean something else where a source is named."""
SPOKEN_FOR = {
    "@timestamp": "write timestamp: {field, format, zone}",
    "event.id": "write id: {field} or {template}",
    "event.dataset": "write dataset:",
    "event.original": "the line is kept there by itself",
}
MOST = 256


class Format(StrEnum):
    """How a line is written.

    json: one object. kv: pairs, as ``key=value key="two words"``. csv: one record of RFC 4180.
    regex: the named groups of an RE2 pattern that matches the whole line.
    """

    JSON = "json"
    KV = "kv"
    CSV = "csv"
    REGEX = "regex"


class Convert(StrEnum):
    """What a text becomes: integer, number, boolean (true, false, yes, no, 1, 0), or lower case."""

    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    LOWER = "lower"


def _ecs(name: str, info: ValidationInfo) -> str:
    """Return *name* if it is a field of ECS, of this suite, or below the source's own name."""
    if name in SPOKEN_FOR:
        raise ValueError(f"{name}: {SPOKEN_FOR[name]}")
    root, *_ = parts = name.split(".")
    own = (info.data or {}).get("name")
    if not all(part.isidentifier() and part == part.lower() for part in parts):
        raise ValueError(f"{name!r}: write an ECS name in lower case, such as user.name")
    if root not in GROUPS and root != own:
        hint = did_you_mean(root, GROUPS)
        raise ValueError(f"{name!r} is no ECS name: {hint} Or put it below {own or 'the name'!r}.")
    return name


def _pattern(text: str) -> str:
    shape.compiled(text)
    return text


Ecs = Annotated[str, AfterValidator(_ecs)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Name = Annotated[str, Field(min_length=1, max_length=256)]
Scalar = str | int | float | bool


class Match(Value):
    """What the source claims: lines for which all that is written here holds.

    starts_with, contains, pattern: of the line, not for JSON; the pattern may match anywhere.
    has: fields that must be there. fields: fields and the values that one may have.
    """

    starts_with: str = ""
    contains: tuple[str, ...] = ()
    pattern: Pattern | None = None
    has: tuple[Name, ...] = ()
    fields: Mapping[Name, Annotated[tuple[str, ...], Field(min_length=1)]] = {}


class Stamp(Value):
    """Where the time of the event is.

    format: ``rfc3339``, ``seconds``, ``milliseconds``, ``microseconds`` or ``nanoseconds`` since
    1970, or directives such as ``%d/%b/%Y:%H:%M:%S %z``. zone: of times that name none.
    """

    field: Name
    zone: Annotated[str, AfterValidator(lambda zone: times.zone_of(zone).key)] = "UTC"
    format: str = times.RFC3339

    @field_validator("format")
    @classmethod
    def _must_tell_a_moment(cls, form: str) -> str:
        times.reader(form)
        return form


class EventId(Value):
    """What makes an event the same when it comes twice: a field, or ``billing:{txid}:{line}``."""

    field: Name | None = None
    template: Annotated[str, Field(max_length=256)] | None = None

    @model_validator(mode="after")
    def _must_be_one(self) -> Self:
        if (self.field is None) == (self.template is None):
            raise ValueError("write either field or template")
        if self.template is not None and not self.names:
            raise ValueError("the template names no field: write one such as billing:{txid}")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Return the fields it is made of; raises ValueError for a template that is none."""
        if self.template is None:
            return (self.field or "",)
        parts = list(Formatter().parse(self.template))
        if any(spec or conversion for _, _, spec, conversion in parts):
            raise ValueError("a template holds {names} alone, without : and !")
        return tuple(name for _, name, _, _ in parts if name is not None)


class Sample(Value):
    """A line, and what must become of it.

    event: fields and their values. refused: words of the reason why it is not taken.
    """

    line: str
    event: Mapping[str, Scalar | tuple[Scalar, ...] | None] | None = None
    refused: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _must_expect_one(self) -> Self:
        if (self.event is None) == (self.refused is None):
            raise ValueError("write either event (fields that it has) or refused (the reason)")
        return self


class Source(Described):
    """How the lines of one source become events.

    fields: name there → ECS name or names here. values: by name there, what to write instead of a
    value. convert: by name there. constants: ECS names and values that every event has. class: of
    retention, where the policy names none for it. Fields that are not mapped are kept below the
    source's name.
    """

    layout: Annotated[Literal["commonwatch.source/1"], Field(alias="schema")]
    name: Annotated[Slug, Field(alias="source")]
    format: Format
    match: Annotated[Match | None, Field(validate_default=True)] = None
    pattern: Annotated[Pattern | None, Field(validate_default=True)] = None
    columns: Annotated[
        tuple[Name, ...], Field(max_length=shape.MAX_FIELDS, validate_default=True)
    ] = ()
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    separator: Annotated[str, Field(min_length=1, max_length=1)] = " "
    assign: Annotated[str, Field(min_length=1, max_length=1)] = "="
    required: tuple[Name, ...] = ()
    fields: Annotated[Mapping[Name, Ecs | tuple[Ecs, ...]], Field(max_length=MOST)] = {}
    values: Mapping[Name, Mapping[str, str]] = {}
    convert: Mapping[Name, Convert] = {}
    constants: Mapping[Ecs, Scalar | tuple[Scalar, ...]] = {}
    timestamp: Stamp
    id: EventId | None = None
    dataset: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,127}$")]
    hint: Annotated[Slug | None, Field(alias="class")] = None
    samples: Annotated[tuple[Sample, ...], Field(min_length=1, max_length=MOST)]

    @field_validator("name")
    @classmethod
    def _must_be_free(cls, name: str) -> str:
        if name in RESERVED or name in GROUPS:
            raise ValueError(f"{name!r} means something else: name it after its program")
        return name

    @field_validator("match")
    @classmethod
    def _must_fit(cls, match: Match | None, info: ValidationInfo) -> Match | None:
        form = info.data.get("format")
        given = match.model_fields_set if match else frozenset()
        if form is Format.JSON and given & {"starts_with", "contains", "pattern"}:
            raise ValueError("JSON is claimed by has and fields: its layout may change")
        if form not in {None, Format.REGEX} and not given:
            raise ValueError("say which lines are its own, such as match: {has: [invoice]}")
        return match

    @field_validator("pattern")
    @classmethod
    def _must_name_groups(cls, pattern: str | None, info: ValidationInfo) -> str | None:
        form = info.data.get("format")
        if form is Format.REGEX and pattern is None:
            raise ValueError("format regex needs one, such as '^(?P<user>\\S+) did (?P<what>.*)$'")
        if form not in {None, Format.REGEX} and pattern is not None:
            raise ValueError("only format regex has one; to claim lines write match: {pattern}")
        if pattern is not None and not shape.compiled(pattern).groupindex:
            raise ValueError("it names no group: write (?P<user>…)")
        return pattern

    @field_validator("columns")
    @classmethod
    def _must_name_columns(cls, columns: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        form = info.data.get("format")
        if (form is Format.CSV) != bool(columns) and form is not None:
            raise ValueError("format csv needs them in their order, and no other format has them")
        if twice := sorted({name for name in columns if columns.count(name) > 1}):
            raise ValueError(f"{twice[0]!r} is here twice")
        return columns

    @field_validator("fields")
    @classmethod
    def _must_map_once(cls, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        targets = [one for given in fields.values() for one in as_tuple(given)]
        if twice := sorted({one for one in targets if targets.count(one) > 1}):
            raise ValueError(f"two fields become {twice[0]}: map one of them")
        below = {(a, b) for a in targets for b in targets if b.startswith(f"{a}.")}
        if below:
            raise ValueError("{} cannot hold both a value and {}".format(*min(below)))
        return fields

    @field_validator("required", "fields", "values", "convert", "timestamp", "id")
    @classmethod
    def _must_be_there(cls, given: Any, info: ValidationInfo) -> Any:  # noqa: ANN401 - any of these fields
        known = known_names(info.data)
        unknown = [name for name in _names(given) if known is not None and name not in known]
        if unknown:
            hint = did_you_mean(unknown[0], known or ())
            raise ValueError(f"the lines have no {unknown[0]!r}: {hint}")
        return given

    @field_validator("samples")
    @classmethod
    def _must_show_an_event(cls, samples: tuple[Sample, ...]) -> tuple[Sample, ...]:
        if all(sample.event is None for sample in samples):
            raise ValueError("at least one line must become an event")
        return samples


def as_tuple(given: str | tuple[str, ...]) -> tuple[str, ...]:
    """Return one name or many as many."""
    return (given,) if isinstance(given, str) else given


def known_names(data: Mapping[str, Any]) -> frozenset[str] | None:
    """Return what the fields of a line are called, or None where only the lines know."""
    if data.get("format") is Format.CSV and data.get("columns"):
        return frozenset(data["columns"])
    if data.get("format") is Format.REGEX and data.get("pattern"):
        return frozenset(shape.compiled(data["pattern"]).groupindex)
    return None


def _names(given: object) -> tuple[str, ...]:
    if isinstance(given, Stamp):
        return (given.field,)
    if isinstance(given, EventId):
        return given.names
    return tuple(given) if isinstance(given, Mapping | tuple) else ()


def read(path: Path) -> Source:
    """Return the source in *path*; raises ContentError with all its mistakes."""
    return load(path, Source)
