"""The report on what was learned: ``story.json`` and ``story.html``, pictures with their numbers.

The JSON is the report; the page shows what it says. Every share has an interval and a size.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from soc.content.digest import canonical
from soc.report import charts, render

SCHEMA = "commonwatch.intelligence-report/1"
Plain = dict[str, Any]
STEPS = 5
"""Shades of a correlation, on either side of none."""
TALL = 110
MOST_BARS = 10


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
    return found


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


def _curve(points: Sequence[Sequence[float]]) -> str:
    """Return path data in a square of 200: no called yes to the right, yes called yes upwards."""
    return "M" + "L".join(f"{200 * x:.1f} {200 - 200 * y:.1f}" for x, y in points)


def _percent(share: Mapping[str, float]) -> str:
    low, high = share["low"] * 100, share["high"] * 100
    return f"{share['value'] * 100:.1f} % [{low:.1f}, {high:.1f}]"
