"""How right suggestions would have been: for each donor the last new project, from what was before.

Nothing is known that anybody did at or after that moment: neighbours cannot tell what comes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from soc.errors import Unfit
from soc.intelligence.carts import Carts, Flags, Places, check
from soc.intelligence.models.measure import Figure, figure, weights
from soc.intelligence.recommend.neighbours import Known, Vector, index_of, known

LEAST_BEFORE = 2
"""Projects given to before the last one: with fewer there is no taste to compare."""
LEAST_DONORS = 20
ALIKE = 0.9
"""From this cosine on another donor gave to nearly the same projects: a copied cart, maybe."""
SHOWN = 10
HEAD = 0.2
"""The share of projects that are called popular; the rest is the tail."""
MODELS = ("neighbours", "popularity")


@dataclass(frozen=True, slots=True)
class Trial:
    """One donor's last new project, and the place each model gave it: 1 is first, 0 is never.

    shown: of each model, the first ten. tail: of each, which of them are in the tail. candidates:
    how many projects there were to choose from. likeness: of the nearest other donor.
    """

    donor: int
    places: tuple[int, ...]
    shown: tuple[Places, ...]
    tail: tuple[Flags, ...]
    candidates: int
    likeness: float


@dataclass(frozen=True, slots=True)
class Graded:
    """Figures of one group of donors, by model, and how much neighbours are above popularity.

    unseen: last projects to which nobody had given before, which no model can suggest. chance: the
    rates of hits of suggestions that are drawn.
    """

    group: str
    donors: int
    unseen: int
    chance: dict[str, float]
    figures: dict[str, dict[str, Figure]]
    differences: dict[str, Figure]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured.

    skipped: donors with too few projects before their last new one. too_few: groups that are too
    small for figures, with their donors.
    """

    donors: int
    projects: int
    suspected: int
    skipped: int
    graded: tuple[Graded, ...]
    too_few: dict[str, int]


def evaluate(carts: Carts, seed: int) -> Evaluation:
    """Return how models do with and without suspected wallets; raises Unfit for too little.

    Without them means that they neither teach nor are asked.
    """
    check(carts)
    trials = list(_trials(carts))
    if len(trials) < LEAST_DONORS:
        raise Unfit(
            f"{len(trials)} of {len(carts.wallets)} donors gave to {LEAST_BEFORE} projects before "
            f"their last new one: at least {LEAST_DONORS} are needed"
        )
    parts = [(carts, name, part) for name, part in _parts(trials, "all wallets").items()]
    if carts.suspected.any():
        rest = carts.of(~carts.suspected)
        named = _parts(list(_trials(rest)), "without suspected wallets")
        parts += [(rest, name, part) for name, part in named.items()]
    return Evaluation(
        len(carts.wallets),
        len(carts.projects),
        int(carts.suspected.sum()),
        len(carts.wallets) - len(trials),
        tuple(
            _grade(known, name, part, seed)
            for known, name, part in parts
            if len(part) >= LEAST_DONORS
        ),
        {name: len(part) for _, name, part in parts if len(part) < LEAST_DONORS},
    )


def _trials(carts: Carts) -> Iterator[Trial]:
    index = index_of(carts)
    for donor, rows in enumerate(index.by_donor):
        last = rows[-1]
        before = np.sum(carts.first[rows] < carts.first[last])
        if before >= LEAST_BEFORE:
            found = known(index, donor, int(carts.first[last]))
            yield _trial(donor, int(carts.project[last]), found)


def _trial(donor: int, project: int, found: Known) -> Trial:
    orders = found.by_neighbours, found.by_popularity
    popular = np.sort(found.popularity[found.popularity > 0])[::-1]
    head = popular[max(int(HEAD * len(popular)) - 1, 0)]
    shown = tuple(order[:SHOWN] for order in orders)
    return Trial(
        donor,
        tuple(int(np.argmax(order == project)) + 1 if project in order else 0 for order in orders),
        shown,
        tuple(found.popularity[each] < head for each in shown),
        found.candidates,
        float(found.likeness[0]) if len(found.near) else 0.0,
    )


def _parts(trials: list[Trial], name: str) -> dict[str, list[Trial]]:
    """Return all donors, those whose cart another had too, and the rest."""
    return {
        name: trials,
        f"{name}, near-duplicates": [one for one in trials if one.likeness >= ALIKE],
        f"{name}, the rest": [one for one in trials if one.likeness < ALIKE],
    }


def _grade(carts: Carts, group: str, trials: list[Trial], seed: int) -> Graded:
    drawn = weights(np.array([carts.wallets[one.donor] for one in trials]), seed)
    every = {
        name: _drawn(trials, model, len(carts.projects), drawn) for model, name in enumerate(MODELS)
    }
    ours, other = (every[name] for name in MODELS)
    return Graded(
        group,
        len(trials),
        sum(one.places[0] == 0 for one in trials),
        {f"hr@{n}": _chance(trials, n) for n in (5, SHOWN)},
        {
            name: {key: _figure(key, values) for key, values in every[name].items()}
            for name in MODELS
        },
        {key: _figure(key, ours[key] - other[key]) for key in ours},
    )


def _chance(trials: list[Trial], n: int) -> float:
    hits = [min(n, one.candidates) / one.candidates for one in trials if one.places[0]]
    return float(sum(hits) / len(trials))


def _drawn(trials: list[Trial], model: int, projects: int, drawn: Vector) -> dict[str, Vector]:
    """Return each figure of a model for each row of weights *drawn*."""
    place = np.array([one.places[model] for one in trials], dtype=np.float64)
    number = np.array([len(one.shown[model]) for one in trials], dtype=np.float64)
    tail = np.array([one.tail[model].sum() for one in trials], dtype=np.float64)
    seen = np.zeros((len(trials), projects))
    for row, one in enumerate(trials):
        seen[row, one.shown[model]] = 1
    total = drawn.sum(axis=1)
    was = place > 0
    return {
        "hr@5": drawn @ (was & (place <= 5)) / total,  # noqa: PLR2004 - its name
        "hr@10": drawn @ (was & (place <= SHOWN)) / total,
        "mrr": drawn @ np.divide(1.0, place, out=np.zeros_like(place), where=was) / total,
        "coverage": ((drawn > 0).astype(np.float64) @ seen > 0).sum(axis=1) / projects,
        "tail": drawn @ tail / (drawn @ number),
    }


def _figure(name: str, values: Vector) -> Figure:
    """Return a figure with its interval.

    Fewer different donors are in a draw, and more in truth, than were asked, and coverage grows
    with them: its interval is mirrored, and reaches from what was seen.
    """
    found = figure(values)
    if name != "coverage":
        return found
    value = found.value
    low, high = min(2 * value - found.high, value), max(2 * value - found.low, value)
    return Figure(value, low, min(high, 1.0))
