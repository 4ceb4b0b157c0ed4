"""Read ECS JSON as columns, without making objects of it, and exactly as ``Ecs`` does.

Taken are lines whose fields are all nested or all dotted, and text. Everything else, and everything
doubtful, is left to the plain path.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import re2

from soc.errors import Refused
from soc.ingest import fields
from soc.ingest.parsers.ecs import COLUMNS, TIME, Ecs
from soc.model.event import MOMENT

DOUBTFUL = re2.compile(rb"[:,\[\s]-?[0-9]+(\.[0-9]*)?[eE]|[0-9]{64}")
"""What may be a number too great for the plain path; msgspec looks at no number that it skips."""

NAMES = (TIME, *dict.fromkeys(name for _, names in COLUMNS.values() for name in names))
PLACES = {
    column: (spelling, [NAMES.index(name) - 1 for name in names])
    for column, (spelling, names) in COLUMNS.items()
}
BLANK = pa.array(sorted(fields.BLANK))
Values = tuple[Any, ...]


class Quick:
    """Takes lines that nobody but ECS claims.

    others: for each parser that is asked before ECS, top-level keys without which it claims
    nothing.
    """

    def __init__(self, others: Iterable[frozenset[str]]) -> None:
        marks = sorted(frozenset().union(*others))
        nested = _nested(NAMES, marks)
        heads = {name.partition(".")[0] for name in NAMES if "." in name}
        flat = _shape({name: _kind(name) for name in NAMES}, [*sorted(heads), *marks])
        self._decode_all = msgspec.json.Decoder(list[nested]).decode  # type: ignore[valid-type]  # made above
        self._shapes = (
            (msgspec.json.Decoder(nested).decode, attrgetter(*map(_path, NAMES))),
            (msgspec.json.Decoder(flat).decode, attrgetter(*map(_attribute, NAMES))),
        )

    def read(self, lines: Sequence[bytes]) -> tuple[pa.Table, list[int]]:
        """Return the columns of those lines that were taken, and which of *lines* those are."""
        plain = _plain(lines)
        usual = lines if len(plain) == len(lines) else [lines[number] for number in plain]
        if (all_ := self._together(usual)) is not None:
            return _table(usual, all_), plain
        taken: list[int] = []
        found: list[Values] = []
        for number in plain:
            if (values := self._values(lines[number])) is not None:
                taken.append(number)
                found.append(values)
        return _table([lines[number] for number in taken], found), taken

    def _together(self, lines: Sequence[bytes]) -> list[Values] | None:
        """Return the values of *lines*, if all have the usual shape; else None."""
        _, values_of = self._shapes[0]
        try:
            shapes = self._decode_all(fields.enclosed(lines))
            b"".join(lines).decode()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, Refused):
            return None
        if len(shapes) != len(lines):
            return None
        try:
            return [(fields.moment(when), *values) for when, *values in map(values_of, shapes)]
        except Refused:
            return None

    def _values(self, line: bytes) -> Values | None:
        for decode, values_of in self._shapes:
            try:
                when, *values = values_of(decode(line))
                line.isascii() or line.decode()
                return (fields.moment(when), *values)
            except (msgspec.DecodeError, UnicodeDecodeError, Refused):
                continue
        return None


def _plain(lines: Sequence[bytes]) -> list[int]:
    """Return which of *lines* are shallow, of usual length and without doubtful numbers."""
    if not lines:
        return []
    body = b"\n".join(lines)
    lengths = np.fromiter(map(len, lines), np.int64, len(lines))
    starts = np.concatenate(([0], np.cumsum(lengths + 1)[:-1]))
    letters = np.frombuffer(body + b"\n", np.uint8)
    opening = (letters == ord("{")) | (letters == ord("["))
    brackets = np.add.reduceat(opening, starts, dtype=np.int64)
    usual = np.flatnonzero((brackets <= fields.SHALLOW) & (lengths <= fields.MAX_LINE)).tolist()
    if DOUBTFUL.search(body) is None:
        return usual
    return [number for number in usual if DOUBTFUL.search(lines[number]) is None]


def _table(lines: Sequence[bytes], found: Sequence[Values]) -> pa.Table:
    size = len(found)
    moments, *columns = zip(*found, strict=True) if found else ((),) * len(NAMES)
    every = _said(pa.array(list(chain.from_iterable(columns)), pa.string()))
    ready = {
        "ts": pa.array(moments, MOMENT),
        # Every line was found to be UTF-8, so it need not be looked at again.
        "raw": pa.array(lines, pa.binary()).view(pa.string()),
        "parser": pa.repeat(Ecs.name, size),
    }
    for column, (spelling, places) in PLACES.items():
        words = [every.slice(place * size, size) for place in places]
        one = pc.coalesce(*words) if len(words) > 1 else words[0]
        if spelling and one.null_count < size:
            one = pa.array([word and spelling(word) for word in one.to_pylist()], pa.string())
        ready[column] = one
    return pa.table(ready)


def _said(every: pa.Array) -> pa.Array:
    """Return what ``fields.said`` makes of each text; at once if all are usual."""
    lengths = np.diff(np.frombuffer(every.buffers()[1], np.int32)[: len(every) + 1])
    some = lengths > 0
    starts = np.frombuffer(every.buffers()[1], np.int32)[: len(every)][some]
    data = every.buffers()[2]
    firsts = np.frombuffer(data, np.uint8)[starts] if len(starts) else starts
    usual = lengths[some]
    if (
        np.count_nonzero(some) == len(every) - every.null_count
        and (usual > 1).all()
        and (usual <= fields.MAX_TEXT).all()
        and (firsts > ord(" ")).all()
    ):
        return every
    trimmed = pc.ascii_trim(every, characters=fields.SPACES)
    every = pc.if_else(pc.is_in(trimmed, BLANK), None, every)
    return pc.utf8_slice_codeunits(every, 0, fields.MAX_TEXT)


def _nested(names: Sequence[str], forbidden: Iterable[str] = ()) -> type[msgspec.Struct]:
    """Return the shape of an object that has *names*, each dot a level."""
    inner: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        head, dot, rest = name.partition(".")
        if dot:
            inner[head].append(rest)
    kinds = {name: _kind(name) for name in names if "." not in name}
    kinds |= {head: _nested(rests) for head, rests in inner.items()}
    return _shape(kinds, [*(name for name in names if "." in name), *forbidden])


def _shape(kinds: Mapping[str, Any], forbidden: Sequence[str]) -> type[msgspec.Struct]:
    """Return the shape of an object of *kinds*; where it has one of *forbidden*, decoding fails."""
    members = [(_attribute(name), kind, _default(kind)) for name, kind in kinds.items()]
    members += [(_attribute(name), msgspec.UnsetType, msgspec.UNSET) for name in forbidden]
    keys = {_attribute(name): name for name in (*kinds, *forbidden)}
    return msgspec.defstruct("Shape", members, rename=keys, frozen=True, kw_only=True, gc=False)


def _kind(name: str) -> Any:  # noqa: ANN401 - a type
    return str | int | float if name == TIME else str | None


def _default(kind: Any) -> Any:  # noqa: ANN401 - what msgspec takes
    if isinstance(kind, type):
        return kind()
    return None if kind == str | None else msgspec.NODEFAULT


def _attribute(name: str) -> str:
    return name.replace("@", "at_").replace(".", "__")


def _path(name: str) -> str:
    return name.replace("@", "at_")
