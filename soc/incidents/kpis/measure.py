"""Measure figures over a window, and say how bad they are."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any

from soc.incidents.kpis import work
from soc.incidents.kpis.definitions import ALL, BY_SLUG, Kpi, Unit
from soc.incidents.kpis.figures import Figure
from soc.incidents.kpis.rows import Rows, Sources
from soc.model.value import rfc3339

Plain = dict[str, Any]
Read = dict[Callable[[Sources], Rows], Rows]
FEW = 30
"""A share of fewer is no reason to wake anybody."""


class Level(StrEnum):
    """How bad a figure is. good, watch: no finding. warning, critical: one. none: not judged."""

    GOOD = "good"
    WATCH = "watch"
    WARNING = "warning"
    CRITICAL = "critical"
    NONE = "none"


def measure(given: Sources, wanted: Iterable[Kpi] = ALL, read: Read | None = None) -> list[Plain]:
    """Return the figures *wanted*, as JSON values; rows that several share are read once.

    read: what was read already; what is read now is put there.
    """
    read = {} if read is None else read
    told = []
    for kpi in wanted:
        if kpi.source not in read:
            read[kpi.source] = kpi.source(given)
        told.append(_told(given, kpi, read[kpi.source]))
    return told


def rows_of(given: Sources, slug: str) -> Rows | None:
    """Return the rows that the figure *slug* is made of; None if there is no such figure."""
    kpi = BY_SLUG.get(slug)
    return kpi.source(given) if kpi else None


def level_of(given: Sources, kpi: Kpi, figure: Figure) -> Level:
    """Return how bad a figure is.

    A share is judged by the lower end of its interval, and one of few is only watched.
    """
    if not kpi.levels or figure.value is None:
        return Level.NONE
    good, warning, critical = getattr(given.settings.incidents.kpis, kpi.levels)
    judged = figure.value
    if kpi.unit is Unit.SHARE and figure.low is not None:
        judged = figure.low
        if figure.n < FEW:
            return Level.WATCH if judged > good else Level.GOOD
    if judged >= critical and judged > good:
        return Level.CRITICAL
    if judged >= warning and judged > good:
        return Level.WARNING
    return Level.WATCH if judged > good else Level.GOOD


def figure_of(given: Sources, kpi: Kpi, found: Rows) -> Figure:
    """Return what *found* comes to; a figure that cannot be had says why."""
    if found.reason:
        return Figure(0, reason=found.reason)
    if kpi.source is work.suspicious and not found.rows and work.has_watched(given):
        return Figure(0, 0.0)
    if kpi.source is work.detector_gaps and not found.rows and not work.has_watched(given):
        return Figure(0, reason="no detector has looked at any event")
    if kpi.source is work.source_gaps and not found.rows and not _expects(given):
        return Figure(
            0, reason="no source is expected to send: write inputs.sources and silent_after"
        )
    return kpi.make(found)


def _expects(given: Sources) -> bool:
    inputs = given.settings.inputs
    return any(one.silent_after or inputs.silent_after for one in inputs.sources)


def _told(given: Sources, kpi: Kpi, found: Rows) -> Plain:
    figure = figure_of(given, kpi, found)
    levels = getattr(given.settings.incidents.kpis, kpi.levels) if kpi.levels else None
    return {
        "kpi": kpi.slug,
        "title": kpi.title,
        "definition": kpi.definition,
        "query": kpi.query,
        "unit": kpi.unit.value,
        "since": rfc3339(given.since),
        "until": rfc3339(given.until),
        **figure._asdict(),
        "level": level_of(given, kpi, figure).value,
        "thresholds": list(levels) if levels else None,
        "fresh": rfc3339(found.fresh) if found.fresh else None,
    }
