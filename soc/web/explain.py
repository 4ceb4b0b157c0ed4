"""Why an alert is there: the text of its rule with what matched marked, and what it was before."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from sqlmodel import Session, col, func, select

from soc.app.content import every_rule_file
from soc.app.rulefiles import called, techniques_of
from soc.app.suite import Suite
from soc.detect.sigma.source import Source
from soc.model.value import rfc3339
from soc.report import charts
from soc.store.tables import Alert, Incident

Plain = dict[str, Any]
LOOKED_BACK = timedelta(days=90)
DAYS = 30
PICTURE = (300, 40, 38)
"""Width and height of the bars of these days, and how high the highest one is."""
LAST = 8


class Line(NamedTuple):
    """A line of a rule. got: what the events had where this line asked."""

    text: str
    got: str = ""


class Written(NamedTuple):
    """A rule as its file has it now. same: it is the one that made the alert."""

    path: Path
    lines: tuple[Line, ...]
    same: bool
    falsepositives: tuple[str, ...]
    response: str
    techniques: list[str]


def written(suite: Suite, alert: Mapping[str, Any]) -> Written | None:
    """Return the rule of *alert*, marked; None if a model found it, or the file is gone."""
    for path in every_rule_file(suite.settings, suite.home):
        if source := called(path, alert["rule"]):
            text = path.read_text(encoding="utf-8", errors="replace").splitlines()
            first = source.lines[()]
            last = _end(text, first)
            got = dict(_got(source, alert["matched"]))
            lines = tuple(
                Line(text[place - 1], got.get(place, "")) for place in range(first, last + 1)
            )
            known = source.plain.get("falsepositives") or []
            ours = source.plain.get("soc")
            response = ours.get("response", "") if isinstance(ours, Mapping) else ""
            same = source.digest == str(alert["rule_digest"]).removeprefix("sha256:")
            listed = known if isinstance(known, list) else [known]
            techniques = techniques_of([source])
            return Written(path, lines, same, tuple(map(str, listed)), str(response), techniques)
    return None


def history(session: Session, rule: str, now: datetime) -> Plain:
    """Return what the alerts of *rule* were in 90 days: verdicts, days, and the last decided."""
    since = now - LOOKED_BACK
    judged = (
        select(Incident.verdict, func.count())
        .select_from(Alert)
        .join(Incident, col(Incident.id) == col(Alert.incident), isouter=True)
        .where(col(Alert.rule) == rule, col(Alert.created) >= since)
        .group_by(col(Incident.verdict))
    )
    verdicts = {verdict or "undecided": count for verdict, count in session.exec(judged)}
    decided = (
        select(Alert, Incident)
        .join(Incident, col(Incident.id) == col(Alert.incident))
        .where(col(Alert.rule) == rule, col(Incident.verdict).is_not(None))
        .order_by(col(Incident.closed).desc(), col(Alert.id).desc())
        .limit(LAST)
    )
    return {
        "alerts": sum(verdicts.values()),
        "verdicts": dict(sorted(verdicts.items())),
        "bars": _days(session, rule, now),
        "last": [
            {
                "alert": alert.id,
                "title": alert.title,
                "incident": f"INC-{incident.id}",
                "verdict": incident.verdict,
                "closed": rfc3339(incident.closed) if incident.closed else None,
            }
            for alert, incident in session.exec(decided)
        ],
    }


def _days(session: Session, rule: str, now: datetime) -> list[Plain]:
    """Return how many alerts each of the last 30 days made, the oldest first, as bars."""
    since = now - timedelta(days=DAYS - 1)
    made = select(Alert.created).where(col(Alert.rule) == rule, col(Alert.created) >= since)
    counted = Counter(created.date() for created in session.exec(made))
    days = [(since + timedelta(days=n)).date() for n in range(DAYS)]
    drawn = charts.columns([counted[day] for day in days], *PICTURE)
    return [
        {"day": str(day), "count": counted[day], **bar}
        for day, bar in zip(days, drawn, strict=True)
    ]


def _end(text: Sequence[str], first: int) -> int:
    """Return the last line of the document that begins in line *first*."""
    after = (n for n in range(first + 1, len(text) + 1) if text[n - 1].startswith("---"))
    end = next(after, len(text) + 1) - 1
    while end > first and not text[end - 1].strip():
        end -= 1
    return end


def _got(source: Source, matched: Sequence[Mapping[str, str]]) -> Iterator[tuple[int, str]]:
    """Yield lines that asked for what *matched*, each with what was there."""
    for match in matched:
        for place, line in source.lines.items():
            if _asks(place, match["selection"], match["field"]):
                yield line, match["value"]


def _asks(place: tuple[object, ...], selection: str, field: str) -> bool:
    """Return whether *place* is where a rule names *field* in *selection*, or groups by it."""
    if place[:1] == ("correlation",):
        return place == ("correlation", "group-by") and selection in {"group-by", field}
    if len(place) < 3 or place[0] != "detection" or place[1] != selection:  # noqa: PLR2004 - detection, selection, field
        return False
    return isinstance(place[-1], str) and place[-1].partition("|")[0] == field
