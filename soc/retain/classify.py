"""Say to which class of retention an event belongs, when it is taken in."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import orjson

from soc.ingest.fields import text
from soc.model.event import Row
from soc.retain.policy import Policy, Selector

Classifier = Callable[[Row], str]


class _Test(NamedTuple):
    """A selector, ready to be asked. needles: what an event must contain that has the fields."""

    name: str
    datasets: frozenset[str]
    prefixes: tuple[str, ...]
    actions: frozenset[str]
    outcomes: frozenset[str]
    fields: tuple[tuple[str, frozenset[str]], ...]
    needles: tuple[str, ...]

    def takes(self, row: Row) -> bool:
        """Return whether *row* is among what the selector selects."""
        if self.datasets or self.prefixes:
            dataset = row.dataset or ""
            if dataset not in self.datasets and not dataset.startswith(self.prefixes or ("\0",)):
                return False
        if self.actions and row.action not in self.actions:
            return False
        if self.outcomes and row.outcome not in self.outcomes:
            return False
        return not self.fields or self._holds(row.raw)

    def _holds(self, raw: str) -> bool:
        # Most events do not have the field at all: looking for its name costs less than parsing.
        if not all(needle in raw for needle in self.needles):
            return False
        document: Any = orjson.loads(raw)
        if not isinstance(document, dict):
            return False
        return all((text(document, name) or "").lower() in values for name, values in self.fields)


def classifier(policy: Policy) -> Classifier:
    """Return what gives each event the id of its class in *policy*: the first that takes it.

    It is pure, so the same event always lies in the same class as long as the policy stands.
    """
    tests = list(_tests(policy))
    *_, last = policy.of_events()

    def classify(row: Row) -> str:
        return next((test.name for test in tests if test.takes(row)), last.id)

    return classify


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
        needles=tuple(f'{key.rpartition(".")[2]}"' for key, _ in fields),
    )
