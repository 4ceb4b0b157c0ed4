"""The window of duplicates: ids that were stored lately, so that a retry is stored once."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from soc.model.event import REJECTS

COLUMNS = ["source", "event_id", "class"]


@dataclass(slots=True)
class Known:
    """At least the last *room* ids, and at most twice as many: the older half goes as a whole."""

    room: int
    _newer: set[str] = field(default_factory=set)
    _older: set[str] = field(default_factory=set)

    def __contains__(self, identity: str) -> bool:
        return identity in self._newer or identity in self._older

    def sift(self, identities: Iterable[str | None], new: set[str]) -> tuple[bool, ...]:
        """Return which of *identities* are new, and add them to *new*, which counts as known."""
        given = identities if isinstance(identities, list) else list(identities)
        fresh = set(given)
        if None not in fresh and len(fresh) == len(given) and self._knows_none(fresh, new):
            new |= fresh
            return (True,) * len(given)
        kept = []
        for identity in given:
            is_new = identity is None or (identity not in new and identity not in self)
            kept.append(is_new)
            if identity is not None and is_new:
                new.add(identity)
        return tuple(kept)

    def _knows_none(self, fresh: set[str], new: set[str]) -> bool:
        """Return whether nothing of *fresh* is known: all at once, as it nearly always is."""
        return all(known.isdisjoint(fresh) for known in (new, self._newer, self._older))

    def add(self, identities: Iterable[str]) -> None:
        """Remember *identities*, in the order in which they were stored."""
        self._newer.update(identities)
        if len(self._newer) >= self.room:
            self._newer, self._older = set(), self._newer


def identities(table: pa.Table) -> list[str | None]:
    """Return what makes each row the same as another; None for rows that never are.

    A reject is the same only as another reject: the document, mended, may come under its id.
    """
    source, ids, data_class = (table[name] for name in COLUMNS)
    if ids.null_count == len(ids):
        return [None] * len(ids)
    known = pc.if_else(pc.equal(ids, ""), None, ids)
    return pc.binary_join_element_wise(_whose(source, data_class), known, "\0").to_pylist()  # type: ignore[no-any-return]  # pyarrow is untyped


def _whose(source: pa.ChunkedArray, data_class: pa.ChunkedArray) -> pa.ChunkedArray | str:
    """Return what an id is one of: the same for all rows, as it nearly always is, or for each."""
    sources, is_reject = source.unique(), pc.equal(data_class, REJECTS)
    if len(sources) == 1 and not pc.any(is_reject).as_py():
        return f"e{sources[0]}"
    return pc.binary_join_element_wise(pc.if_else(is_reject, "r", "e"), source, "")
