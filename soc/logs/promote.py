"""Promoted fields: what rules ask for lies in columns of its own, beside the event's text.

A column ``f.<field>`` holds for each event the JSON text of what rules find under that name: a key
written so or as a path, whatever its case; several finds become one list. Without any find the
column is null. A very long value is not written twice: its cell is LONG, and who needs it reads the
event's text.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import msgspec
import orjson
import pyarrow as pa

from soc.logs.files import write_durably
from soc.model.text import fold

PREFIX = "f."
ANNOUNCED = "promoted.json"
MAX_FIELDS = 2_000
MAX_VALUE = 16_384
"""Bytes of a value that is promoted."""
LONG = "~"
"""Stands for a longer value; it is no JSON."""
TOO_LONG = LONG.encode()
REMEMBERED = 10_000

_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


@dataclass(slots=True)
class _Plan:
    """What to look for in an object: by folded key, a field that ends here and what lies below."""

    wanted: dict[str, tuple[str | None, "_Plan | None"]] = field(default_factory=dict)
    known: dict[str, tuple[str | None, "_Plan | None"] | None] = field(default_factory=dict)

    def find(self, key: str) -> tuple[str | None, "_Plan | None"] | None:
        """Return what is wanted under *key*, however it is spelt."""
        found = self.wanted.get(fold(key))
        if len(self.known) < REMEMBERED:
            self.known[key] = found
        return found


@dataclass(frozen=True, slots=True)
class Promoted:
    """Columns of a table of events, and which of the fields are whole in them."""

    columns: Mapping[str, pa.Array]
    whole: tuple[str, ...]


class Promotion:
    """Which fields have columns. digest: changes when they do; empty without any."""

    def __init__(self, fields: Iterable[str] = ()) -> None:
        self.fields = tuple(sorted({fold(name) for name in fields if name})[:MAX_FIELDS])
        named = "\n".join(self.fields).encode()
        self.digest = sha256(named).hexdigest()[:16] if self.fields else ""
        self._plan = _plan(self.fields)

    def columns(self, raw: Iterable[bytes], longest: int | None = MAX_VALUE) -> Promoted:
        """Return the columns of the events *raw*, JSON objects; LONG for values over *longest*."""
        if not self.fields:
            return Promoted({}, ())
        size, sparse = 0, dict[str, list[tuple[int, bytes]]]()
        for size, text in enumerate(raw, start=1):
            found: list[tuple[str, bytes]] = []
            _walk(text, self._plan, found)
            for name, value in found:
                sparse.setdefault(name, []).append((size - 1, value))
        columns = {
            PREFIX + name: _column(cells, size, longest) for name, cells in sorted(sparse.items())
        }
        return Promoted(columns, self.fields)


def octets(raw: pa.ChunkedArray) -> list[bytes]:
    """Return the events' text as UTF-8, without making text of it first."""
    return raw.cast(pa.binary()).to_pylist()  # type: ignore[no-any-return]  # pyarrow is untyped


def announce(root: Path, fields: Iterable[str]) -> None:
    """Tell whoever writes the event store at *root* that *fields* are to have columns."""
    wanted = Promotion(fields)
    if announced(root).digest != wanted.digest:
        root.mkdir(parents=True, exist_ok=True)
        write_durably(root / ANNOUNCED, orjson.dumps(wanted.fields))


def announced(root: Path) -> Promotion:
    """Return the fields that were announced for the event store at *root*."""
    try:
        fields = orjson.loads((root / ANNOUNCED).read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return Promotion()
    return _promotion(tuple(fields))


@lru_cache(maxsize=4)
def _promotion(fields: tuple[str, ...]) -> Promotion:
    """Return the same promotion for the same fields: it remembers how keys are spelt."""
    return Promotion(fields)


def _plan(fields: Iterable[str]) -> _Plan:
    plan, below = _Plan(), dict[str, set[str]]()
    ends = set()
    for name in fields:
        ends.add(name)
        head, dot, rest = name.partition(".")
        while dot:
            below.setdefault(head, set()).add(rest)
            more, dot, rest = rest.partition(".")
            head = f"{head}.{more}"
    for key in ends | set(below):
        inner = _named(below[key], key) if key in below else None
        plan.wanted[key] = (key if key in ends else None, inner)
    return plan


def _named(rests: Iterable[str], head: str) -> _Plan:
    """Return a plan for *rests* whose fields carry their whole names."""
    plan = _plan(rests)
    _rename(plan, head)
    return plan


def _rename(plan: _Plan, head: str) -> None:
    for key, (name, inner) in plan.wanted.items():
        plan.wanted[key] = (f"{head}.{name}" if name else None, inner)
        if inner:
            _rename(inner, head)


def _walk(data: bytes | msgspec.Raw, plan: _Plan, found: list[tuple[str, bytes]]) -> None:
    for key, value in _object(data).items():
        hit = plan.known[key] if key in plan.known else plan.find(key)
        if hit is None:
            continue
        name, inner = hit
        if name:
            found.append((name, bytes(value)))
        if inner:
            _below(value, inner, found)


def _below(value: msgspec.Raw, plan: _Plan, found: list[tuple[str, bytes]]) -> None:
    first = bytes(value)[:1]
    if first == b"{":
        _walk(value, plan, found)
    elif first == b"[":
        for item in _list(value):
            _below(item, plan, found)


def _column(cells: list[tuple[int, bytes]], size: int, longest: int | None) -> pa.Array:
    """Return the cells as one column."""
    values: list[bytes | None] = [None] * size
    for place, value in cells:
        known = values[place]
        if known == TOO_LONG or (longest is not None and len(value) > longest):
            values[place] = TOO_LONG
        else:
            values[place] = value if known is None else _both(known, value)
    return pa.array(values, pa.binary()).cast(pa.string())


def _both(known: bytes, value: bytes) -> bytes:
    """Return two finds under one name as one list: a list counts as its elements."""
    first, second = orjson.loads(known), orjson.loads(value)
    one = first if isinstance(first, list) else [first]
    return orjson.dumps([*one, *(second if isinstance(second, list) else [second])])
