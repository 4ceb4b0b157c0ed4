"""Hold our engine and the plain evaluator to the vectors: ``python -m tests.conformance.hold``.

Prints each vector that does not hold, with the evaluator, and ends with 1 if there is one.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from soc.detect.sigma.engine.hyper import Databases
from soc.detect.sigma.event import Event
from soc.detect.sigma.load import load_rules
from soc.detect.sigma.ruleset import Outcome, Ruleset
from soc.ingest.eventlog import time_of
from soc.watch.together import Together
from tests.conformance.vectors import Hit, Vector, read

Match = Callable[[Ruleset, dict[str, Any]], Outcome]


def by_engine(ruleset: Ruleset, event: dict[str, Any]) -> Outcome:
    """Return what all rules together say of *event*."""
    return ruleset.match(event)


def plainly(ruleset: Ruleset, event: dict[str, Any]) -> Outcome:
    """Return what rules say of *event* that are asked one by one."""
    return ruleset.plainly(Event(event))


def together(ruleset: Ruleset, event: dict[str, Any]) -> Outcome:
    """Return what rules say of events that come together, with one pass for all expressions."""
    databases = Databases(after=0)
    anew = Ruleset(ruleset.rules, ruleset.correlations, databases=databases)
    return anew.match_all([event, event])[1]


EVALUATORS: dict[str, Match] = {"engine": by_engine, "plain": plainly, "together": together}


def load(vector: Vector) -> Ruleset:
    """Return the rules of *vector*."""
    with tempfile.TemporaryDirectory() as folder:
        rules, _ = vector.write(Path(folder))
        return load_rules([rules], ())


def decided(vector: Vector, ruleset: Ruleset, match: Match) -> frozenset[Hit]:
    """Return what *match* makes of the events; raises ValueError for what it cannot evaluate."""
    correlating, found = Together(ruleset), set[Hit]()
    for line, event in enumerate(vector.events, start=1):
        outcome = match(ruleset, dict(event))
        reasons = [failure.reason for failure in outcome.errors]
        if "@timestamp" in event:
            correlating.hear(time_of(event))
        if counted := [hit for hit in outcome.hits if correlating.counts(hit)]:
            reasons += correlating.take(counted, time_of(event), "", line)
        if reasons:
            raise ValueError(reasons[0])
        names = {hit.rule.name for hit in outcome.hits} - ruleset.silent
        found |= {(name, line) for name in names}
    return frozenset({*found, *((name, told["line"]) for name, told in correlating.results())})


def difference(vector: Vector, match: Match) -> str:
    """Return in words what is not as it must be; nothing if all is."""
    ruleset = load(vector)
    if vector.refused:
        return "" if ruleset.failed else "is loaded and must be refused"
    if ruleset.failed:
        return f"is refused: {ruleset.failed[0].message}"
    found = decided(vector, ruleset, match)
    return "" if found == vector.hits else f"hits {sorted(found)}, must {sorted(vector.hits)}"


def differences() -> Iterator[str]:
    """Yield what does not hold; an evaluator that breaks does not hold either."""
    for vector in read():
        for name, match in EVALUATORS.items():
            try:
                why = difference(vector, match)
            except Exception as broken:  # noqa: BLE001 - whatever a fault in the code raises
                why = f"{type(broken).__name__}: {broken}"
            if why:
                yield f"{vector.id} ({name}) {why}"


def main() -> int:
    """Print what does not hold; with ``--first``, no more than one."""
    found = 0
    for line in differences():
        found += 1
        print(line)
        if "--first" in sys.argv:
            break
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
