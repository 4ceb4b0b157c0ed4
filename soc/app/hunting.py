"""Ask a rule about everything that is stored."""

from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from soc.app.suite import Suite
from soc.detect.sigma.load import load_rules
from soc.detect.sigma.ruleset import Ruleset
from soc.errors import Refused
from soc.model.value import rfc3339
from soc.watch.hunt import Hunt, Struck, correlated, hunt


def hunt_rule(
    suite: Suite, rule: str, since: datetime | None, until: datetime | None, limit: int
) -> dict[str, Any]:
    """Return the first *limit* hits of *rule*, a slug, a UUID or a file, and what was looked at.

    Raises Refused for a rule that is not there or cannot be loaded.
    """
    return rows_of(suite, _ruleset(suite, rule), since, until, limit)


def rows_of(
    suite: Suite, ruleset: Ruleset, since: datetime | None, until: datetime | None, limit: int
) -> dict[str, Any]:
    """Return the first *limit* hits of the rules in *ruleset*, and what was looked at."""
    told = Hunt()
    struck = hunt(suite.reader, ruleset, since, until, told)
    if ruleset.correlations:
        lines = (_line(line) for _, line in correlated(ruleset, struck, told))
    else:
        lines = (_row(one) for one in struck)
    rows = list(islice(lines, limit + 1))
    problems = [f"{told.failures} events could not be judged"] if told.failures else []
    if len(rows) > limit:
        problems.append(f"there are more than {limit} hits: use --limit, --since or --until")
    if told.from_text:
        share = f"{told.from_text} of {told.events} events"
        problems.append(f"{share} were read as text: not all the rule asks has columns there yet")
    figures = {"events": told.events, "from_text": told.from_text, "read": told.read}
    return {"rows": rows[:limit], "problems": problems, **figures, "figures": list(figures)}


def tried(suite: Suite, path: Path) -> Ruleset:
    """Return the rules in the file *path* as the site would read them if it were its own."""
    return load_rules([path], suite.settings.detect.pipelines, lists=suite.lists())


def _ruleset(suite: Suite, rule: str) -> Ruleset:
    path = Path(rule)
    if path.suffix in {".yml", ".yaml"}:
        ruleset = tried(suite, path)
        if ruleset.failed:
            raise Refused(str(ruleset.failed[0]))
        return ruleset
    name = suite.slug_of(rule)
    try:
        return suite.rules.ruleset.only(name or rule)
    except KeyError as unknown:
        raise Refused(
            f"there is no Sigma rule {rule!r}: write a slug, a UUID or a file"
        ) from unknown


def _row(one: Struck) -> dict[str, Any]:
    return {
        "rule": one.hit.rule.name,
        "seq": one.seq,
        "ts": rfc3339(one.ts),
        "source": one.source,
        "matched": [match.model_dump() for match in one.hit.matched],
    }


def _line(line: dict[str, Any]) -> dict[str, Any]:
    return {
        "rule": line["rule_title"],
        "seq": line["line"],
        "ts": line["timestamp"],
        "source": line["file"],
        "matched": line["matched"],
    }
