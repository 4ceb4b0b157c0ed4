"""soc intelligence clusters: groups of users that are alike."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from soc.cli.base import HOME, HomeOption, Json, fail, moment, show, suite_at, table
from soc.cli.study import AsOf, Currency, Decimals, Seed

Plain = dict[str, Any]


def clusters(
    without: Annotated[
        list[str] | None, typer.Option(help="A feature to leave out; may be given again.")
    ] = None,
    scale: Annotated[str, typer.Option(help="Units of features: robust or standard.")] = "robust",
    above: Annotated[
        float | None,
        typer.Option(help="A total from which on a user is of high value; amounts are left out."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File for each user's group and place: .csv or .parquet.")
    ] = None,
    as_of: AsOf = "",
    currency: Currency = "",
    decimals: Decimals = None,
    seed: Seed = 1,
    home: HomeOption = HOME,
    as_json: Json = False,
) -> None:
    """Look for groups of users that are alike, and say so if there are none.

    There are groups if their silhouette is above a floor and above what users without groups reach,
    and if other samples of users give the same ones.
    """
    from soc.app import groups, parts, studies  # defers DuckDB
    from soc.intelligence.clusters.sheet import Scaling
    from soc.intelligence.clusters.users import members
    from soc.intelligence.features.build import put

    if scale not in set(Scaling):
        fail(f"--scale {scale}: write one of {', '.join(Scaling)}", 2)
    when = moment(as_of) if as_of else None
    _, frame = studies.features(suite_at(home), when, currency or None, decimals)
    asked, found, described = groups.clusters(
        frame, without=without or (), scaling=Scaling(scale), above=above, seed=seed
    )
    if out:
        put(members(found), out)
    told = {**parts.clusters(frame, asked, found, described), "above": above, "seed": seed}
    show(told, as_json, list(_clusters(told)))


def _clusters(told: Plain) -> Iterator[str]:
    yield told["verdict"]
    yield f"{told['users']} users, {told['sampled']} looked at, {len(told['features'])} features"
    for one in told["filled"]:
        yield f"missing: {one['feature']} of {one['missing']} users, taken as {one['median']:g}"
    for name, reason in told["left_out"].items():
        yield f"left out: {name}, {reason}"
    curve = [
        {
            "k": one["k"],
            "inertia": f"{one['inertia']:.1f}",
            "silhouette": f"{one['silhouette']:.3f}",
            "": "elbow" if one["k"] == told["elbow"] else "",
        }
        for one in told["curve"]
    ]
    yield from table(curve, "k", "inertia", "silhouette", "")
    for one in told["nulls"]:
        yield f"{one['name']}, {one['draws']} draws: 95 % are below {one['reached']:.3f}"
    dense, two = told["dbscan"], sum(told["explained"][:2])
    yield (
        f"DBSCAN, eps {dense['eps']:.3f} where distances bend, {dense['neighbours']} neighbours: "
        f"{dense['groups']} groups, {dense['noise']} users in none"
    )
    yield f"PCA: two components hold {two:.0%} of the variance"
    yield from (
        table([_profile(one) for one in told["profiles"]], *_PROFILE) if told["found"] else ()
    )


_PROFILE = ("cluster", "size", "overlap", "suspected", "high value", "unlike")


def _profile(one: Plain) -> Plain:
    shares = {
        name: f"{s['hits'] / s['of']:.0%} [{s['low']:.0%}, {s['high']:.0%}]"
        for name, s in one["shares"].items()
    }
    unlike = (f"{name} {one['centroid'][name]:.3g}" for name in one["unlike"])
    return {**one, "overlap": f"{one['stability']:.2f}", **shares, "unlike": ", ".join(unlike)}
