"""Say to which class of retention an event belongs, when it is taken in."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
import pyarrow as pa
import re2

from soc.ingest.fields import text
from soc.model.event import REJECTS, Row
from soc.model.sought import Sought
from soc.retain.policy import Policy, Selector

OUTLINES = 4096
"""Combinations of dataset, action and outcome whose candidates are remembered."""


class _Test(NamedTuple):
    """A selector, ready to be asked. needles: what an event must contain that has the fields."""

    name: str
    datasets: frozenset[str]
    prefixes: tuple[str, ...]
    actions: frozenset[str]
    outcomes: frozenset[str]
    fields: tuple[tuple[str, frozenset[str]], ...]
    needles: tuple[bytes, ...]

    def fits(self, dataset: str | None, action: str | None, outcome: str | None) -> bool:
        """Return whether an event of this outline may be among what the selector selects."""
        if self.datasets or self.prefixes:
            name = dataset or ""
            if name not in self.datasets and not name.startswith(self.prefixes or ("\0",)):
                return False
        if self.actions and action not in self.actions:
            return False
        return not self.outcomes or outcome in self.outcomes

    def is_mentioned(self, raw: bytes) -> bool:
        """Return whether *raw* names the fields that are asked for: without, it is not selected.

        Most events do not have them at all: looking for a name costs less than parsing.
        """
        return all(needle in raw for needle in self.needles)

    def holds(self, raw: bytes) -> bool:
        """Return whether the event *raw*, whose outline fits, is selected."""
        return not self.fields or self._holds(raw)

    def _holds(self, raw: bytes) -> bool:
        if not self.is_mentioned(raw):
            return False
        document: Any = orjson.loads(raw)
        if not isinstance(document, dict):
            return False
        return all((text(document, name) or "").lower() in values for name, values in self.fields)


class Classifier:
    """Gives each event the id of its class in *policy*: the first that takes it.

    hints: for events of some parsers, the class they have if no other takes them. It is pure, so
    the same event always lies in the same class as long as the policy stands.
    """

    def __init__(self, policy: Policy, hints: Mapping[str, str | None] = {}) -> None:
        *_, last = policy.of_events()
        known = {one.id for one in policy.of_events()}
        self._last = last.id
        self._hints = {parser: hint for parser, hint in hints.items() if hint in known}
        self._tests = list(_tests(policy))
        needles = {needle for test in self._tests for needle in test.needles}
        self._sought = {needle: Sought(re2.escape(needle)) for needle in needles}
        self._candidates = lru_cache(OUTLINES)(self._fitting)

    def __call__(self, row: Row) -> str:
        """Return the class of *row*."""
        tests = self._candidates(row.dataset, row.action, row.outcome)
        return self._hinted(self._among(tests, row.raw.encode()), row.parser)

    def of(self, columns: pa.Table) -> list[str]:
        """Return the class of every row of *columns*; what has a reason is a reject."""
        names = ("dataset", "action", "outcome")
        outlines = list(zip(*(columns[name].to_pylist() for name in names), strict=True))
        sure = self._sure(set(outlines), columns["raw"])
        classes = [
            sure[outline] or self._among(self._candidates(*outline), _bytes_of(columns, row))
            for row, outline in enumerate(outlines)
        ]
        if self._hints:
            parsers = columns["parser"].to_pylist()
            classes = list(map(self._hinted, classes, parsers))
        if columns["reason"].null_count < columns.num_rows:
            reasons = columns["reason"].to_pylist()
            classes = [REJECTS if r else c for r, c in zip(reasons, classes, strict=True)]
        return classes

    def _sure(
        self, outlines: Iterable[tuple[str | None, ...]], raw: pa.ChunkedArray
    ) -> dict[tuple[str | None, ...], str | None]:
        """Return the class of all events of each outline; None where the text of each decides.

        Fields that no event names are looked for in all of *raw* at once.
        """
        asked = {outline: self._candidates(*outline) for outline in outlines}
        texts = _texts_of(raw)
        tests = {test for some in asked.values() for test in some if test.fields}
        idle = {test for test in tests if not self._is_mentioned(test, texts)}
        left = {key: [test for test in some if test not in idle] for key, some in asked.items()}
        return {
            outline: None if some and some[0].fields else self._among(some, b"")
            for outline, some in left.items()
        }

    def _is_mentioned(self, test: _Test, texts: Sequence[memoryview]) -> bool:
        """Return whether some of *texts* name the fields that *test* asks for."""
        return all(any(self._sought[one].is_in(text) for text in texts) for one in test.needles)

    def _among(self, tests: Sequence[_Test], raw: bytes) -> str:
        return next((test.name for test in tests if test.holds(raw)), self._last)

    def _hinted(self, found: str, parser: str | None) -> str:
        return self._hints.get(parser or "") or found if found == self._last else found

    def _fitting(self, *outline: str | None) -> tuple[_Test, ...]:
        return tuple(test for test in self._tests if test.fits(*outline))


def _bytes_of(columns: pa.Table, row: int) -> bytes:
    text: str = columns["raw"][row].as_py()
    return text.encode()


def _texts_of(column: pa.ChunkedArray) -> list[memoryview]:
    """Return at least all texts of *column*, many in each piece."""
    return [memoryview(data) for chunk in column.chunks if (data := chunk.buffers()[2])]


def _tests(policy: Policy) -> Iterator[_Test]:
    for one in policy.of_events():
        for selector in one.selects:
            yield _test(one.id, selector)


def _test(name: str, selector: Selector) -> _Test:
    exact = (dataset for dataset in selector.datasets if not dataset.endswith(".*"))
    prefixes = (dataset[:-1] for dataset in selector.datasets if dataset.endswith(".*"))
    fields = sorted(selector.where.items())
    return _Test(
        name=name,
        datasets=frozenset(exact),
        prefixes=tuple(prefixes),
        actions=frozenset(selector.actions),
        outcomes=frozenset(selector.outcomes),
        fields=tuple((key, frozenset(v.lower() for v in values)) for key, values in fields),
        needles=tuple(f'{key.rpartition(".")[2]}"'.encode() for key, _ in fields),
    )
