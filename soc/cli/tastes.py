"""soc intelligence recommend and associations: what users like, and like together."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any

import typer

from soc.cli.base import HOME, HomeOption, Json, fail, moment, show, suite_at, table
from soc.cli.study import AsOf, Seed, interval

Plain = dict[str, Any]


def recommend(
    wallet: Annotated[
        str, typer.Option(help="Whom to suggest projects to; else suggestions are graded.")
    ] = "",
    number: Annotated[int, typer.Option("-n", "--number", min=1, help="At most so many.")] = 5,
    as_of: AsOf = "",
    seed: Seed = 1,
    home: HomeOption = HOME,
    as_json: Json = False,
) -> None:
    """Suggest projects by what donors of the same taste gave to, or grade such suggestions.

    Grades are those of each donor's last new project, from what was before it, beside popularity
    alone, with and without suspected wallets, whose votes never count in suggestions.
    """
    from soc.app import groups, parts  # defers DuckDB

    when = moment(as_of) if as_of else None
    if wallet:
        made = groups.suggestions(suite_at(home), wallet, number, when)
        rows = [asdict(one) for one in made.suggestions]
        lines = [f"by {made.basis}", *table(rows, "project", "reason")]
        show(asdict(made), as_json, lines)
        return
    told = parts.grades(groups.carts_of(suite_at(home), when), seed)
    head = (
        f"{told['donors']} donors, {told['suspected']} of them suspected, {told['projects']} "
        f"projects; {told['skipped']} donors gave to too few before their last new project"
    )
    rows = [row for one in told["graded"] for row in _grades(one)]
    few = (f"{name}: {n} donors, too few for figures" for name, n in told["too_few"].items())
    show(told, as_json, [head, *few, *table(rows, *_GRADES)])


_GRADES = ("wallets", "donors", "figure", "neighbours", "popularity", "difference", "chance")


def _grades(one: Plain) -> Iterator[Plain]:
    for name, figure in one["figures"]["neighbours"].items():
        chance = one["chance"].get(name)
        yield {
            "wallets": one["group"],
            "donors": one["donors"],
            "figure": name,
            "neighbours": interval(figure),
            "popularity": interval(one["figures"]["popularity"][name]),
            "difference": interval(one["differences"][name], "+.3f"),
            "chance": f"{chance:.3f}" if chance is not None else None,
        }


def associations(
    rate: Annotated[
        float, typer.Option(min=0, max=1, help="The share of false pairs among those found.")
    ] = 0.01,
    support: Annotated[
        float, typer.Option(help="The least share of donors that a rule must hold for.")
    ] = 0.02,
    search: Annotated[str, typer.Option(help="fp-growth or apriori.")] = "fp-growth",
    pairs_only: Annotated[
        bool, typer.Option("--pairs-only", help="No rules, which need the extra ml.")
    ] = False,
    as_of: AsOf = "",
    seed: Seed = 1,
    home: HomeOption = HOME,
    as_json: Json = False,
) -> None:
    """Find projects that are given to together more than their popularity explains.

    Beside what is found stands what is found after shuffling who gave to what, every donor and
    every project keeping its number: there, nothing goes together.
    """
    from soc.app import groups, parts  # defers DuckDB
    from soc.intelligence.association.rules import Search

    if search not in set(Search):
        fail(f"--search {search}: write one of {', '.join(Search)}", 2)
    told = parts.associations(
        groups.carts_of(suite_at(home), moment(as_of) if as_of else None),
        seed=seed,
        support=None if pairs_only else support,
        rate=rate,
        search=Search(search),
    )
    show(told, as_json, list(_associations(told)))


def _associations(told: Plain) -> Iterator[str]:
    mixed = told["shuffled"]
    yield (
        f"{len(told['pairs'])} pairs of {told['possible']} stand out; {told['asked']} were asked "
        f"about, and {told['naive']} are more frequent than the product of their shares"
    )
    yield f"after shuffling: {mixed['pairs']} stand out, {mixed['naive']} are more frequent"
    rows = [
        {
            "projects": " + ".join(one["projects"]),
            "donors": one["observed"],
            "expected": f"{one['expected']:.1f}",
            "lift": f"{one['lift']:.2f}",
            "p": f"{one['p']:.2g}",
            "q": f"{one['q']:.2g}",
        }
        for one in told["pairs"]
    ]
    yield from table(rows, "projects", "donors", "expected", "lift", "p", "q") if rows else ()
    if "rules" not in told:
        return
    mined = told["rules"]
    yield (
        f"{len(mined['rules'])} rules kept of {mined['ungated']} with a lift above 1; "
        f"after shuffling {mixed['rules']} of {mixed['rules_without_gate']}"
    )
    kept = [
        {
            "rule": f"{' + '.join(one['given'])} -> {one['then']}",
            "donors": one["donors"],
            "confidence": f"{one['confidence']:.0%}",
            "lift": f"{one['lift']:.2f}",
        }
        for one in mined["rules"]
    ]
    yield from table(kept, "rule", "donors", "confidence", "lift") if kept else ()
