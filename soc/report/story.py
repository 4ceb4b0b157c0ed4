"""The report on what was learned: ``story.json`` and ``story.html``, pictures with their numbers.

The JSON is the report; the page shows what it says. Every share has an interval and a size.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from soc.content.digest import canonical
from soc.report import charts, render

SCHEMA = "commonwatch.intelligence-report/2"
Plain = dict[str, Any]
STEPS = 5
"""Shades of a correlation, on either side of none."""
TALL = 110
MOST_BARS = 10
LIMITS = ("limit", "limit-2")
"""How what users without groups reach is drawn."""
NONE = "\N{BULLET}"
"""Marks a user in a picture without groups."""


def write(told: Plain, out: Path) -> tuple[Path, ...]:
    """Write the report into the folder *out*, made if need be; return its files."""
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for name, data in sorted(files(told).items()):
        (out / name).write_bytes(data)
        written.append(out / name)
    return tuple(written)


def files(told: Plain) -> dict[str, bytes]:
    """Return each file of the report, by name."""
    return {
        "story.json": canonical(told),
        "story.html": render.html("story.html", shown(told)).encode(),
    }


def shown(told: Plain) -> Plain:
    """Return *told* with the geometry of its pictures."""
    data = told["data"]
    return {
        **told,
        "days_drawn": _columns([day["transactions"] for day in data["days"]]),
        "amounts_drawn": _columns([part["n"] for part in data["amounts"]["histogram"]]),
        "shades": _shades(data["correlations"]),
        "moved": [one for one in data["drift"] if one["level"] not in {None, "none"}],
        "models": [_model(one) for one in told["models"]],
        "groups_drawn": _groups(told["clusters"]),
        "trends_drawn": [
            _trend(*each) for each in zip(told["trends"], told["changes"], strict=True)
        ],
        "sentences": sentences(told),
    }


def sentences(told: Plain) -> list[str]:
    """Return what there is to conclude, in sentences that the numbers carry."""
    data = told["data"]
    completion, suspicious = data["completion"], data["suspicious"]
    found = [
        f"{_percent(completion)} of {completion['n']:,} transactions were on the chain by then.",
        f"{_percent(suspicious)} were made while an alert about their wallet was going on.",
    ]
    if told["models"]:
        found += [f"{one['task']['question']} {one['conclusion']}" for one in told["models"]]
    else:
        found.append("No model was learned yet: soc intelligence train.")
    moved = [one["column"] for one in data["drift"] if one["level"] == "much"]
    if moved:
        found.append(
            f"Much has moved since the window before: {', '.join(moved)}. A model that learned "
            "before that may be wrong now."
        )
    elif not data["drift"]:
        found.append("There is no window before to compare with.")
    return [*found, *_of_users(told), *(one["advice"] for one in told["imbalance"])]


def _of_users(told: Plain) -> Iterator[str]:
    clusters, tastes, pairs = (told[n] for n in ("clusters", "recommender", "associations"))
    yield f"Groups of users: {clusters.get('unfit') or clusters['verdict']}."
    if "unfit" in tastes:
        yield f"Suggestions of projects: {tastes['unfit']}."
    else:
        yield from (
            f"Suggestions of projects, {one['group']}: {_gain(one)}."
            for one in tastes["graded"][:1]
        )
    if "unfit" in pairs:
        yield f"Projects that go together: {pairs['unfit']}."
    else:
        yield (
            f"{len(pairs['pairs'])} of {pairs['asked']} pairs of projects have more donors in "
            f"common than popularity explains; after shuffling {pairs['shuffled']['pairs']} do."
        )
    changed = [one["title"] for one in told["changes"] if one["changed"]]
    if changed:
        yield f"Against the window before, beyond chance: {', '.join(changed)}."


def _gain(graded: Plain) -> str:
    gain = graded["differences"]["hr@5"]
    interval = f"{gain['value']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}]"
    words = "do hold" if gain["low"] > 0 else "do not surely hold"
    return (
        f"the first five {words} the next project more often than the most popular ones, "
        f"{interval} of {graded['donors']} donors"
    )


def _columns(counts: Sequence[int]) -> list[dict[str, float]]:
    return charts.columns(counts, charts.WIDTH, charts.HEIGHT, TALL)


def _shades(correlations: Mapping[str, Any]) -> list[Plain]:
    rows = zip(correlations["names"], correlations["spearman"], strict=True)
    return [
        {"name": name, "cells": [{"value": value, "shade": _shade(value)} for value in values]}
        for name, values in rows
    ]


def _shade(value: float | None) -> str:
    """Return the class of a cell: how strong, and which way."""
    if value is None:
        return "none"
    return f"{'up' if value >= 0 else 'down'}-{min(round(abs(value) * STEPS), STEPS)}"


def _model(card: Plain) -> Plain:
    roc = card.get("roc", {}).get(card["best"])
    losses = [max(one["loss"]["value"], 0.0) for one in card["importance"]]
    widest = max(losses, default=0) or 1
    bars = [
        {**one, "width": round(100 * loss / widest, 1)}
        for one, loss in zip(card["importance"], losses, strict=True)
    ]
    return {**card, "curve": _curve(roc) if roc else None, "bars": bars[:MOST_BARS]}


def _groups(told: Plain) -> Plain | None:
    """Return users as points, and the silhouette for each k as a line, in pictures."""
    if "unfit" in told:
        return None
    places = charts.scatter([(one["x"], one["y"]) for one in told["points"]])
    kinds = [one["cluster"] for one in told["points"]]
    return {
        "points": [
            {"x": x, "y": y, "mark": NONE if kind is None else str(kind)}
            for (x, y), kind in zip(places, kinds, strict=True)
        ],
        "curve": charts.series(
            [max(one["silhouette"], 0.0) for one in told["curve"]],
            [str(one["k"]) for one in told["curve"]],
            list(zip(LIMITS, (one["reached"] for one in told["nulls"]), strict=True)),
        ),
    }


def _trend(told: Plain, changed: Plain) -> Plain:
    points = told["points"]
    drawn = charts.band(*([one[key] for one in points] for key in ("value", "low", "high")))
    return {**told, "band": drawn, "change": changed, "last": points[-1]}


def _curve(points: Sequence[Sequence[float]]) -> str:
    """Return path data in a square of 200: no called yes to the right, yes called yes upwards."""
    return "M" + "L".join(f"{200 * x:.1f} {200 - 200 * y:.1f}" for x, y in points)


def _percent(share: Mapping[str, float]) -> str:
    low, high = share["low"] * 100, share["high"] * 100
    return f"{share['value'] * 100:.1f} % [{low:.1f}, {high:.1f}]"
