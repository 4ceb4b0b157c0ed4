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
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from soc.errors import Refused
from soc.ingest import fields
from soc.ingest.parsers.ecs import COLUMNS, TIME, Ecs, Spelling
from soc.model.event import MOMENT
from soc.model.sought import Sought
from soc.model.value import MAX_DIGITS

DOUBTFUL = (
    Sought(rb"[0-9]e\+?[0-9]{3,}\s*[,}\]]"),
    Sought(rb"[0-9]E\+?[0-9]{3,}\s*[,}\]]"),
    Sought(rb"[0-9]{64}"),
)
"""What may be a number too great for the plain path, which msgspec passes over where it skips it.

One after the other is quicker than all at once: each alone is found by what is rare in it.
"""

NAMES = (TIME, *dict.fromkeys(name for _, names in COLUMNS.values() for name in names))
PLACES = {
    column: (spelling, [NAMES.index(name) - 1 for name in names])
    for column, (spelling, names) in COLUMNS.items()
}
NEITHER_OPENS_NOR_BREAKS = bytes(set(range(256)) - set(b"{[\n"))
ASCII = 128
MOST_TOGETHER = 2**31 - 1
"""Bytes that fit into one array of texts."""
BLANK = pa.array(sorted(fields.BLANK))
FIRST = -62_135_596_800_000_000
"""Microseconds from 1970 back to the first moment that Python knows."""


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
        self._getters = [attrgetter(_path(name)) for name in NAMES]
        self._shapes = (
            (msgspec.json.Decoder(nested).decode, attrgetter(*map(_path, NAMES))),
            (msgspec.json.Decoder(flat).decode, attrgetter(*map(_attribute, NAMES))),
        )

    def read(self, lines: Sequence[bytes]) -> tuple[pa.Table, list[int]]:
        """Return the columns of those lines that were taken, and which of *lines* those are."""
        if (together := self._together(lines)) is not None:
            return together, list(range(len(lines)))
        plain = _plain(lines)
        if (together := self._together([lines[number] for number in plain])) is not None:
            return together, plain
        taken: list[int] = []
        found: list[tuple[Any, ...]] = []
        for number in plain:
            if (values := self._values(lines[number])) is not None:
                taken.append(number)
                found.append(values)
        columns = zip(*found, strict=True) if found else ((),) * len(NAMES)
        moments, *values_of = map(list, columns)
        ts = pa.array(moments, MOMENT)
        said = [_said(pa.array(values, pa.string())) for values in values_of]
        return _table([lines[number] for number in taken], ts, said), taken

    def _together(self, lines: Sequence[bytes]) -> pa.Table | None:
        """Return the columns of *lines*, if all have the usual shape; else None."""
        size = len(lines)
        try:
            text = fields.enclosed(lines)
            if not _is_plain(text, lines):
                return None
            shapes = self._decode_all(text)
            text.isascii() or text.decode()
            if len(shapes) != size:
                return None
            when, *getters = self._getters
            values = list(chain.from_iterable(map(get, shapes) for get in getters))
            every = _said(pa.array(values, pa.string()))
            columns = [every.slice(begin, size) for begin in range(0, len(values), size)]
            return _table(lines, _moments(list(map(when, shapes))), columns)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, Refused):
            return None

    def _values(self, line: bytes) -> tuple[Any, ...] | None:
        for decode, values_of in self._shapes:
            try:
                when, *values = values_of(decode(line))
                line.isascii() or line.decode()
                return (fields.moment(when), *values)
            except (msgspec.DecodeError, UnicodeDecodeError, Refused):
                continue
        return None


def _is_plain(text: bytes, lines: Sequence[bytes]) -> bool:
    """Return whether all *lines*, which *text* encloses, are as ``_plain`` wants them."""
    if _is_doubtful(text):
        return False
    opened = text.translate(None, NEITHER_OPENS_NOR_BREAKS).split(b"\n")
    if len(opened) != len(lines):
        return False
    return max(map(len, opened)) <= fields.SHALLOW and max(map(len, lines)) <= fields.MAX_LINE


def _is_doubtful(text: bytes) -> bool:
    return any(one.is_in(text) for one in DOUBTFUL)


def _plain(lines: Sequence[bytes]) -> list[int]:
    """Return which of *lines* are shallow, of usual length and without doubtful numbers."""
    return [
        number
        for number, line in enumerate(lines)
        if line.count(b"{") + line.count(b"[") <= fields.SHALLOW
        and len(line) <= fields.MAX_LINE
        and not _is_doubtful(line)
    ]


def _moments(whens: list[str | float]) -> pa.Array:
    """Return *whens* as moments; the usual spelling at once. Raises Refused."""
    try:
        read = pa.array(whens, pa.string()).cast(MOMENT)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([fields.moment(when) for when in whens], MOMENT)
    if read.view(pa.int64()).to_numpy().min(initial=FIRST) < FIRST:
        raise Refused("before the year 1: write RFC 3339, as 2026-11-23T12:00:00Z")
    return read


def _table(lines: Sequence[bytes], ts: pa.Array, said: Sequence[pa.Array]) -> pa.Table:
    size = len(lines)
    ready = {
        "ts": ts,
        "raw": _texts(lines),
        "parser": pa.repeat(Ecs.name, size),
    }
    for column, (spelling, places) in PLACES.items():
        words = [said[place] for place in places if said[place].null_count < size]
        one = pc.coalesce(*words) if len(words) > 1 else words[0] if words else said[places[0]]
        ready[column] = _spelt(spelling, one) if spelling and words else one
    return pa.table(ready)


def _texts(lines: Sequence[bytes]) -> pa.Array:
    """Return *lines* as texts: each was found to be UTF-8, so it need not be looked at again."""
    data = b"".join(lines)
    if len(data) > MOST_TOGETHER:
        return pa.array(lines, pa.binary()).view(pa.string())
    ends = np.zeros(len(lines) + 1, np.int32)
    np.cumsum(np.fromiter(map(len, lines), np.int32, len(lines)), out=ends[1:])
    return pa.StringArray.from_buffers(len(lines), pa.py_buffer(ends), pa.py_buffer(data))


def _spelt(spelling: Spelling, words: pa.Array) -> pa.Array:
    """Return each of *words* as *spelling* writes it; at once where they are usual."""
    octets = _octets_of(words)
    if spelling is fields.lowered and octets.max(initial=0) < ASCII:
        return pc.ascii_lower(words)
    if spelling is fields.digits and _is_digits(octets):
        lengths = pc.min_max(pc.binary_length(words)).as_py()
        if lengths["min"] and lengths["max"] <= MAX_DIGITS:
            return words
    return pa.array([word and spelling(word) for word in words.to_pylist()], pa.string())


def _is_digits(octets: npt.NDArray[np.uint8]) -> bool:
    return bool(len(octets)) and octets.min() >= ord("0") and octets.max() <= ord("9")


def _octets_of(words: pa.Array) -> npt.NDArray[np.uint8]:
    """Return the text of all *words*."""
    _, offsets, data = words.buffers()
    bounds = np.frombuffer(offsets, np.int32)[words.offset : words.offset + len(words) + 1]
    return np.frombuffer(data or b"", np.uint8)[bounds[0] : bounds[-1]]


def _said(every: pa.Array) -> pa.Array:
    """Return what ``fields.said`` makes of each text; at once if all are usual."""
    if every.null_count == len(every):
        return every
    _, offsets, data = every.buffers()
    begins = np.frombuffer(offsets, np.int32)[: len(every) + 1]
    lengths = np.diff(begins)
    some = lengths > 0
    usual = lengths[some]
    if (
        len(usual) == len(every) - every.null_count
        and (usual > 1).all()
        and (usual <= fields.MAX_TEXT).all()
        and (np.frombuffer(data or b"", np.uint8)[begins[:-1][some]] > ord(" ")).all()
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
