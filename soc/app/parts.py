"""What is found in users, as JSON values: groups, how right suggestions are, what goes together."""

from collections.abc import Callable
from dataclasses import asdict
from math import isfinite
from typing import Any

from soc.app import groups
from soc.errors import Unfit
from soc.intelligence.association.pairs import RATE
from soc.intelligence.association.rules import SUPPORT, Search, is_installed, mine
from soc.intelligence.carts import Carts, carts
from soc.intelligence.clusters.sheet import Scaling, raw_of, useless
from soc.intelligence.clusters.study import Profile, Study
from soc.intelligence.clusters.users import Users
from soc.intelligence.features.build import Frame
from soc.intelligence.recommend.evaluate import Graded, evaluate
from soc.intelligence.view.keep import View
from soc.model.value import rfc3339

Plain = dict[str, Any]
POINTS = 400
"""Users that are drawn in a picture."""


def every(view: View, frame: Frame, seed: int) -> dict[str, Plain]:
    """Return each part of a report that is about users; one that cannot be says why not."""
    known, support = carts(view, frame.as_of), SUPPORT if is_installed() else None
    return {
        "clusters": _or_why(lambda: _clusters(frame, seed)),
        "recommender": _or_why(lambda: grades(known, seed)),
        "associations": _or_why(lambda: associations(known, seed=seed, support=support)),
    }


def clusters(frame: Frame, asked: Users, found: Study, described: list[Profile]) -> Plain:
    """Return what a study of groups found."""
    return {
        "as_of": rfc3339(frame.as_of),
        "currency": frame.currency,
        "left_out": dict(asked.left_out),
        "users": len(found.sheet),
        "sampled": len(found.sampled),
        "features": list(found.sheet.names),
        "filled": [one._asdict() for one in found.sheet.filled],
        "scale": found.sheet.scaling,
        "found": found.is_found,
        "verdict": found.verdict,
        "k": found.best.k if found.is_found else None,
        "curve": [
            {"k": one.k, "inertia": one.inertia, "silhouette": one.silhouette}
            for one in found.curve
        ],
        "elbow": found.elbow,
        "nulls": [asdict(one) for one in found.nulls],
        "stability": {
            "resamples": found.stability.resamples,
            "agreement": found.stability.agreement._asdict(),
            "overlap": list(found.stability.jaccard),
        },
        "profiles": [_profile(one) for one in described],
        "dbscan": {
            "eps": found.dense.eps,
            "neighbours": found.dense.neighbours,
            "groups": found.dense.groups,
            "noise": found.dense.noise,
        },
        "explained": list(found.plane.explained),
        "loadings": [
            dict(zip(found.sheet.names, one, strict=True)) for one in found.plane.loadings.tolist()
        ],
    }


def grades(known: Carts, seed: int) -> Plain:
    """Return how right suggestions would have been; raises Unfit."""
    found = evaluate(known, seed)
    return {**asdict(found), "seed": seed, "graded": [_graded(one) for one in found.graded]}


def associations(
    known: Carts,
    *,
    seed: int,
    support: float | None,
    rate: float = RATE,
    search: Search = Search.FP_GROWTH,
) -> Plain:
    """Return the pairs that stand out, and the rules made of them; both after shuffling too.

    support: the least share of donors that a rule must hold for; no rules without it. Raises
    Refused and Unfit.
    """
    found, mixed, none = groups.associations(known, rate, seed)
    told: Plain = {
        "donors": len(known.wallets),
        "projects": len(known.projects),
        "seed": seed,
        **asdict(found),
        "shuffled": {"pairs": len(none.pairs), "asked": none.asked, "naive": none.naive},
    }
    if support is not None:
        mined = mine(mixed, none.names, support, search)
        told["rules"] = asdict(mine(known, found.names, support, search))
        told["shuffled"]["rules"] = len(mined.rules)
        told["shuffled"]["rules_without_gate"] = mined.ungated
    return told


def _clusters(frame: Frame, seed: int) -> Plain:
    """Return the groups by all features that tell users apart, and a picture of them."""
    without = useless(frame.names, raw_of(frame, frame.names))
    asked, found, described = groups.clusters(
        frame, without=tuple(without), scaling=Scaling.ROBUST, above=None, seed=seed
    )
    told = clusters(frame, asked, found, described)
    places = found.sampled[:: -(-len(found.sampled) // POINTS)]
    labels = found.labels[places].tolist() if found.is_found else [None] * len(places)
    return {
        **told,
        "left_out": {**told["left_out"], **without},
        "seed": seed,
        "points": [
            {"x": x, "y": y, "cluster": label}
            for (x, y), label in zip(found.plane.points[places].tolist(), labels, strict=True)
        ],
    }


def _or_why(make: Callable[[], Plain]) -> Plain:
    try:
        return make()
    except Unfit as unfit:
        return {"unfit": str(unfit)}


def _profile(one: Profile) -> Plain:
    shares = {
        name: {"hits": share.hits, "of": share.of, **share.interval._asdict()}
        for name, share in one.shares.items()
    }
    known = {name: mean if isfinite(mean) else None for name, mean in one.centroid.items()}
    return {**asdict(one), "centroid": known, "shares": shares}


def _graded(one: Graded) -> Plain:
    return {
        **asdict(one),
        "figures": {
            name: {key: figure._asdict() for key, figure in each.items()}
            for name, each in one.figures.items()
        },
        "differences": {key: figure._asdict() for key, figure in one.differences.items()},
    }
