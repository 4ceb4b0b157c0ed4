"""The site's rules as queries of OpenSearch."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from soc.app.home import Home
from soc.app.suite import Suite
from soc.content.folders import packaged
from soc.detect.sigma.convert import convert
from soc.detect.sigma.load import load_rules
from soc.errors import NotFound, Problem

Format = Literal["lucene", "dsl"]


def convert_rules(home: Path, names: Sequence[str], form: Format) -> dict[str, Any]:
    """Return a query for each of the rules *names*, by slug or UUID; all of them without names.

    Without a home at that place they are what is packaged. problems: why there is none for the
    others. Raises NotFound, and Refused where the backend is not installed.
    """
    is_home = (Home(home).path / "format").is_file()
    ruleset = Suite(home).rules.ruleset if is_home else load_rules([packaged("rules")])
    every = [*ruleset.rules, *ruleset.correlations]
    slugs = {word: rule.name for rule in every for word in (rule.name, rule.id) if word}
    for name in names:
        if name not in slugs:
            raise NotFound("rule", name)
    rules, problems = [], []
    for one in convert(ruleset, [slugs[name] for name in names]):
        if isinstance(one, Problem):
            problems.append({"rule": "", "reason": str(one)})
        elif one.problem:
            problems.append({"rule": one.rule, "reason": one.problem})
        else:
            query = one.query if form == "lucene" else one.body
            rules.append({"rule": one.rule, "title": one.title, "query": query})
    return {"format": form, "rules": rules, "problems": problems}
