"""Lines in, rows out: what no parser takes becomes a reject with its reason, never an exception."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from soc.errors import Refused
from soc.ingest.fields import MAX_DEPTH, MAX_LINE, SHALLOW, depth_of, object_of
from soc.ingest.parsers.ecs import Ecs
from soc.ingest.quick import Quick
from soc.model.event import Reject, Row, complete, to_columns

BASE64 = "base64:"
LAST = Ecs.name


class Intake:
    """All parsers, asked in turn.

    *parsers* by name: those of JSON have ``parse(line, document)``; those whose ``text`` is True
    have ``parse(line)``. They are asked in their order there; ECS, which takes every object with a
    time, is asked last. If every other parser of JSON has ``marks``, top-level keys without which
    it claims nothing, ECS is read the quick way.
    """

    def __init__(self, parsers: Mapping[str, Any]) -> None:
        ordered = sorted(parsers.items(), key=lambda item: item[0] == LAST)
        self._text = {name: one for name, one in ordered if getattr(one, "text", False)}
        self._json = {name: one for name, one in ordered if name not in self._text}
        marks = [getattr(one, "marks", None) for name, one in self._json.items() if name != LAST]
        known = [frozenset(mark) for mark in marks if mark is not None]
        is_sure = isinstance(parsers.get(LAST), Ecs) and len(known) == len(marks)
        self._quick = Quick(known) if is_sure else None

    @property
    def formats(self) -> tuple[str, ...]:
        """Return the names that ``--format`` takes, besides auto."""
        return (*self._json, *self._text)

    def table(
        self,
        lines: Sequence[bytes],
        ids: Sequence[str | None],
        ingested: datetime,
        form: str = "auto",
    ) -> pa.Table:
        """Return columns of SCHEMA, but seq, source and class, with a row for each line."""
        if self._quick is None or form not in {"auto", LAST}:
            return to_columns(self.read(zip(lines, ids, strict=True), form), ingested)
        quick, taken = self._quick.read(list(map(bytes.strip, lines)))
        named = pa.array([ids[number] or None for number in taken], pa.string())
        if named.null_count < len(named):
            place = quick.schema.get_field_index("event_id")
            words = pc.coalesce(named, quick["event_id"]) if named.null_count else named
            quick = quick.set_column(place, "event_id", words)
        quick = complete(quick, ingested)
        if len(taken) == len(lines):
            return quick
        left = sorted(set(range(len(lines))) - set(taken))
        plain = self.read([(lines[number], ids[number]) for number in left], form)
        both = pa.concat_tables([quick, to_columns(plain, ingested)])
        return both.take(pa.array(np.argsort([*taken, *left])))

    def read(
        self, lines: Iterable[tuple[bytes, str | None]], form: str = "auto"
    ) -> list[Row | Reject]:
        """Return a row or a reject for each (line, id); the id is the shipper's, or None."""
        return [self._line(line, event_id, form) for line, event_id in lines]

    def _line(self, line: bytes, event_id: str | None, form: str) -> Row | Reject:
        try:
            text = line.decode()
        except UnicodeDecodeError as wrong:
            kept = BASE64 + base64.b64encode(line).decode()
            return Reject(kept, f"not UTF-8 at byte {wrong.start}: send UTF-8", event_id)
        try:
            row = self._row(text.strip(), form)
        except Refused as refused:
            return Reject(text, refused.reason, event_id)
        return row._replace(event_id=event_id) if event_id else row

    def _row(self, text: str, form: str) -> Row:
        if len(text) > MAX_LINE:
            raise Refused(f"longer than {MAX_LINE} characters: split the event")
        if form in self._text:
            return self._text[form].parse(text)  # type: ignore[no-any-return]  # a plug-in
        if form != "auto" or text.startswith("{"):
            return self._object(text, form)
        for parser in self._text.values():
            if parser.claims(text):
                return parser.parse(text)  # type: ignore[no-any-return]  # a plug-in
        known = ", ".join(self.formats)
        raise Refused(f"no parser knows this line: send JSON objects, or one of {known}")

    def _object(self, text: str, form: str) -> Row:
        document = object_of(text)
        if text.count("{") + text.count("[") > SHALLOW and depth_of(document) > MAX_DEPTH:
            raise Refused(f"nested deeper than {MAX_DEPTH}: flatten it")
        for parser in [self._json[form]] if form in self._json else self._json.values():
            if parser.claims(document):
                return parser.parse(text, document)  # type: ignore[no-any-return]  # a plug-in
        raise Refused("an object without @timestamp: add one, RFC 3339")


def restore(reject: str) -> bytes:
    """Return the bytes that were sent, from what a reject keeps of them."""
    if reject.startswith(BASE64):
        return base64.b64decode(reject.removeprefix(BASE64))
    return reject.encode()
