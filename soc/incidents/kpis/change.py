"""How a figure changed between two windows, with an interval that comes from those of both."""

from math import hypot
from typing import Any

Plain = dict[str, Any]


def change(before: Plain, after: Plain) -> Plain:
    """Return how *after* differs from *before*, the same figure of two windows.

    The interval is made of the two figures' own (G. Zou and A. Donner, "Construction of confidence
    limits about effect measures", 2008); for shares with Wilson's it is R. Newcombe's of 1998. It
    takes the windows as independent. changed: None where there is none, else whether 0 lies
    outside.
    """
    told = {
        "kpi": after["kpi"],
        "title": after["title"],
        "unit": after["unit"],
        "before": _part(before),
        "after": _part(after),
    }
    if before["value"] is None or after["value"] is None:
        why = before["reason"] or after["reason"]
        return {**told, "difference": None, "low": None, "high": None, "changed": None, "why": why}
    difference = after["value"] - before["value"]
    if None in (before["low"], after["low"]):
        why = "a window has too few rows for an interval"
        unsure = {"low": None, "high": None, "changed": None, "why": why}
        return {**told, "difference": difference, **unsure}
    down = hypot(after["value"] - after["low"], before["high"] - before["value"])
    up = hypot(after["high"] - after["value"], before["value"] - before["low"])
    low, high = difference - down, difference + up
    changed = not low <= 0 <= high
    return {
        **told,
        "difference": difference,
        "low": low,
        "high": high,
        "changed": changed,
        "why": "",
    }


def _part(told: Plain) -> Plain:
    return {key: told[key] for key in ("since", "until", "n", "value", "low", "high", "fresh")}
