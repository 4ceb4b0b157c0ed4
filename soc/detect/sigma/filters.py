"""Put filters on rules: what a site leaves out of the hits of rules that others wrote."""

from collections.abc import Iterable, Mapping, Sequence

from soc.detect.sigma.draft import Filter
from soc.detect.sigma.rule import Rule
from soc.detect.sigma.slug import Entry
from soc.errors import Problem


def apply_filters(
    filters: Iterable[tuple[Entry, str]], rules: Sequence[Rule], slugs: Mapping[str, str]
) -> tuple[tuple[Rule, ...], list[Problem]]:
    """Return *rules* under *filters*, each with its slug, and the filters that are for nothing.

    slugs: for each name and id of a rule, what it is called.
    """
    filtered = {rule.name: rule for rule in rules}
    problems: list[Problem] = []
    for entry, slug in filters:
        one = entry.made
        if not isinstance(one, Filter):
            continue
        names, reasons = _named(one, filtered, slugs)
        for name in names:
            filtered[name] = one.on(filtered[name], slug)
        problems += [Problem(entry.path, one.place.line, reason) for reason in reasons]
    return tuple(filtered.values()), problems


def _named(
    one: Filter, rules: Mapping[str, Rule], slugs: Mapping[str, str]
) -> tuple[list[str], list[str]]:
    """Return the rules that *one* is put on, and why it is not put on others that it names."""
    if not one.rules:
        names = [name for name, rule in rules.items() if one.is_for(rule)]
        return names, [] if names else ["no rule is for the log source of this filter"]
    names, reasons = [], []
    for name in one.rules:
        rule = rules.get(slugs.get(name, ""))
        if rule is None:
            reasons.append(f"{name!r} is neither name nor id of a rule that was loaded")
        elif not one.is_for(rule):
            reasons.append(f"the rule {name!r} is for another log source than this filter")
        else:
            names.append(rule.name)
    return names, reasons
