"""Which techniques the rules cover, and what of that is proven."""

from collections.abc import Sequence
from pathlib import Path

from soc import plugins
from soc.app.home import Home
from soc.app.suite import Suite
from soc.content.folders import packaged
from soc.detect.detector import Mode
from soc.detect.sigma.load import load_rules
from soc.detect.sigma.navigator import Covered, Standing, covered_by
from soc.detect.sigma.rule import About
from soc.detect.sigma.ruleset import Ruleset
from soc.ingest.parse import Intake
from soc.store import rule_states
from soc.store.session import reading
from soc.watch import samples

WITHHELD = {Mode.MONITOR: Standing.MONITOR, Mode.DISABLED: Standing.DISABLED}


def coverage(paths: Sequence[Path] | None, home: Path) -> tuple[list[Covered], Ruleset]:
    """Return the techniques that rules cover, and the rules.

    paths: of rules; by default those in use at *home*, or the packaged ones if there is no home.
    Rules that are only counted make no alert and prove nothing, so they are left out.
    """
    suite = Suite(home) if (Home(home).path / "format").is_file() else None
    if paths or not suite:
        ruleset = load_rules(paths or [packaged("rules")])
    else:
        ruleset = suite.rules.ruleset
    every: list[About] = [*ruleset.rules, *ruleset.correlations]
    modes = _modes(suite) if suite else {}
    proven = tested(every)
    standings = {
        about.name: WITHHELD.get(modes.get(about.name, Mode.ACTIVE)) or proven[about.name]
        for about in every
        if about.name not in ruleset.silent
    }
    return covered_by(every, standings), ruleset


def _modes(suite: Suite) -> dict[str, Mode]:
    """Return what rules may do that may not simply act."""
    with reading(suite.database) as looking:
        switched = rule_states.in_force(looking, suite.clock.now())
    return suite.modes | {slug: Mode(mode) for slug, mode in switched.items()}


def tested(every: Sequence[About]) -> dict[str, Standing]:
    """Return how each rule came out of the samples beside it."""
    intake = Intake({name: kind() for name, kind in plugins.load("soc.parsers").items()})
    results: dict[str, list[samples.Result]] = {}
    for path in sorted({about.path for about in every}):
        beside = samples.samples_of(path)
        for result in samples.run(beside, intake) if beside.is_file() else ():
            results.setdefault(result.rule, []).append(result)
    return {about.name: _standing(results.get(about.name, [])) for about in every}


def _standing(results: Sequence[samples.Result]) -> Standing:
    """Return what samples show; benign ones alone show nothing."""
    if any(one.problem for one in results):
        return Standing.FAILING
    is_hit = any(not one.is_benign for one in results)
    return Standing.PROVEN if is_hit else Standing.UNTESTED
