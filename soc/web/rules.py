"""The API of rules: how each stands, what it says, and switching it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Query
from pydantic import AwareDatetime, Field
from sqlmodel import Session, col, func, select

from soc.access.permissions import Permission, Principal
from soc.app.measuring import figures
from soc.app.rulebook import Book, Own, mode_of, place_of
from soc.app.switching import switch
from soc.detect.detector import Mode
from soc.detect.sigma.attack import technique_of
from soc.detect.sigma.rule import About, Correlation
from soc.errors import Busy, ContentError, SocError
from soc.incidents.kpis.definitions import BY_SLUG
from soc.model.value import rfc3339
from soc.store import rule_states
from soc.store.tables import Alert, AuditRow, RuleState
from soc.watch import samples
from soc.web import explain
from soc.web.asked import Body, Limit, Plain, needs
from soc.web.front import Front

FIRED = timedelta(days=30)
JUDGED = timedelta(days=90)
ACTS = 20
WAITS = 20.0
"""Seconds that a program waits for rules that are just being read."""
SWITCHED = tuple(f"rule.{mode}" for mode in Mode)
Words = Annotated[str, Query(max_length=200)]
Standing = Literal["", "dead", "off", "fired"]
"""Which rules are wanted: dead ones, switched off or to monitor, or with alerts in 30 days."""


class Switch(Body):
    """What a rule may do from now on, why, and until when; without an end it stays."""

    mode: Mode
    reason: Annotated[str, Field(min_length=1)]
    until: AwareDatetime | None = None


def add(routes: APIRouter, front: Front) -> None:
    """Add the routes of rules to *routes*."""
    reads, authors = needs(front, Permission.READ), needs(front, Permission.AUTHOR)

    @routes.get("/rules", tags=["rules"], dependencies=[reads])
    def every(show: Standing = "", q: Words = "", limit: Limit = 100, after: Words = "") -> Plain:
        """Return the rules by slug, from the one behind *after* on, and what is wrong with others.

        health: what the newest events showed, looked at once a minute at most. 503 while rules are
        read for the first time.
        """
        found = listed(front, WAITS)
        rest = [row for row in chosen(found["items"], show, q) if row["rule"] > after]
        follows = rest[limit - 1]["rule"] if len(rest) > limit else None
        return {**found, "items": rest[:limit], "next": follows}

    @routes.get("/rules/{slug}", tags=["rules"], dependencies=[reads])
    def one(slug: str) -> Plain:
        """Return a rule with its text, its samples and what became of it; 404 for none."""
        return whole(front, slug, WAITS)

    @routes.post("/rules/{slug}/mode", tags=["rules"])
    def turn(slug: str, given: Switch, who: Principal = authors) -> Plain:
        """Let a rule act, only be watched, or be off; it is on the record, with the reason."""
        front.rulebook.about(slug, WAITS)
        switch(front.suite, slug, given.mode, given.reason, given.until, who.name)
        return {"rule": slug, "mode": _standing_of(front, slug)}


def listed(front: Front, patience: float) -> Plain:
    """Return every rule as lists show it, and the mistakes in the others; raises Busy."""
    suite, now = front.suite, front.suite.clock.now()
    made = front.rulebook.read(patience)
    health, examined = healths(front, patience)
    precise = precisions(front)
    with front.reading() as looking:
        switched, fired = rule_states.standing(looking, now), fired_since(looking, now - FIRED)
    book: Book = made.answer
    every: dict[str, About | Own] = {**book.rules, **book.own}
    rows = [
        {
            **_about(front, about),
            "mode": mode(slug, book, switched),
            "alerts": fired.get(slug, 0),
            "precision": precise.get(slug),
            "health": health.get(slug),
        }
        for slug, about in sorted(every.items())
    ]
    problems = [
        {"path": place_of(suite, one.path), "line": one.line, "message": one.message}
        for one in book.failed
    ]
    return {"items": rows, "problems": problems, "read": rfc3339(made.at), "examined": examined}


def chosen(rows: Sequence[Plain], show: str, words: str) -> list[Plain]:
    """Return the *rows* that are wanted."""
    asked = words.lower().split()
    return [row for row in rows if _is(row, show) and all(w in _text(row) for w in asked)]


def whole(front: Front, slug: str, patience: float) -> Plain:
    """Return a rule with all that is known of it; raises NotFound, Busy."""
    book = front.rulebook.read(patience).answer
    about = front.rulebook.about(slug, patience)
    health, examined = healths(front, patience)
    now = front.suite.clock.now()
    with front.reading() as looking:
        past = explain.history(looking, slug, now)
        acts = acts_on(looking, slug)
        switched = rule_states.standing(looking, now)
        fired = fired_since(looking, now - FIRED).get(slug, 0)
    return {
        **_about(front, about),
        "author": getattr(about, "author", ""),
        "licence": getattr(about, "licence", ""),
        "digest": getattr(about, "digest", ""),
        "mode": mode(slug, book, switched),
        "alerts": fired,
        "precision": precisions(front).get(slug),
        "health": health.get(slug),
        "examined": examined,
        "counts": list(about.rules) if isinstance(about, Correlation) else [],
        "counted_by": sorted(
            name
            for name, one in book.rules.items()
            if isinstance(one, Correlation) and slug in one.rules
        ),
        "silent": slug in book.silent,
        "samples": _samples(about),
        "history": past,
        "acts": acts,
    }


def healths(front: Front, patience: float) -> tuple[Mapping[str, Plain], Plain]:
    """Return what the newest events showed of each rule, and when and why not."""
    try:
        made = front.rulebook.health(patience)
    except Busy as reading:
        return {}, {"at": None, "events": None, "why": str(reading)}
    except SocError as failed:
        return {}, {"at": None, "events": None, "why": f"could not be looked at: {failed}"}
    return made.answer.rules, {
        "at": rfc3339(made.at),
        "events": made.answer.events,
        "why": None,
    }


def precisions(front: Front) -> dict[str, Plain]:
    """Return how right each rule was in 90 days, with its Wilson interval, by slug."""
    (told,) = figures(front.suite, JUDGED, [BY_SLUG["precision"]])
    return {part["rule"]: part for part in told["parts"] if part["n"]}


def fired_since(looking: Session, since: datetime) -> dict[str, int]:
    """Return how many alerts each rule made since then."""
    made = select(Alert.rule, func.count()).where(col(Alert.created) >= since)
    return dict(looking.exec(made.group_by(col(Alert.rule))).all())


def mode(slug: str, book: Book, switched: Mapping[str, RuleState]) -> Plain:
    """Return what a rule may do now, and who said so, when, why and until when."""
    row = switched.get(slug)
    return {
        "mode": mode_of(slug, book, switched),
        "by": row.by if row else None,
        "at": rfc3339(row.at) if row else None,
        "until": rfc3339(row.until) if row and row.until else None,
        "reason": row.reason if row else None,
    }


def acts_on(looking: Session, slug: str) -> list[Plain]:
    """Return the last times that somebody switched a rule, the newest first."""
    wanted = (col(AuditRow.action).in_(SWITCHED), col(AuditRow.object) == f"rule:{slug}")
    rows = looking.exec(
        select(AuditRow).where(*wanted).order_by(col(AuditRow.id).desc()).limit(ACTS)
    )
    return [
        {
            "at": rfc3339(row.at),
            "by": row.actor,
            "mode": row.action.removeprefix("rule."),
            "reason": orjson.loads(row.record).get("reason", ""),
        }
        for row in rows
    ]


def _standing_of(front: Front, slug: str) -> Plain:
    book = front.rulebook.read(WAITS).answer
    with front.reading() as looking:
        return mode(slug, book, rule_states.standing(looking, front.suite.clock.now()))


def _about(front: Front, about: About | Own) -> Plain:
    if isinstance(about, Own):
        return {
            "rule": about.name,
            "id": None,
            "kind": "detector",
            "title": about.title,
            "detector": about.detector,
            "level": None,
            "status": None,
            "tags": [],
            "techniques": [],
            "path": None,
            "line": None,
        }
    found = filter(None, map(technique_of, about.tags))
    return {
        "rule": about.name,
        "id": about.id or None,
        "kind": "correlation" if isinstance(about, Correlation) else "sigma",
        "title": about.title,
        "detector": "sigma",
        "level": str(about.severity),
        "status": about.status or None,
        "tags": list(about.tags),
        "techniques": sorted(found),
        "path": place_of(front.suite, about.path),
        "line": about.line,
    }


def _samples(about: About | Own) -> Plain | None:
    """Return how many samples show that a rule hits, and that it does not; None if it has none."""
    if isinstance(about, Own):
        return None
    beside = samples.samples_of(about.path)
    if not beside.is_file():
        return None
    try:
        found = samples.read(beside)
    except ContentError as wrong:
        return {"hits": 0, "benign": 0, "problem": str(wrong)}
    mine = [one for one in found.samples if (one.rule or found.rule) == about.name]
    benign = sum(one.is_benign for one in mine)
    return {"hits": len(mine) - benign, "benign": benign, "problem": None}


def _is(row: Plain, show: str) -> bool:
    match show:
        case "dead":
            return bool(row["health"]) and row["health"]["state"] == "dead"
        case "off":
            return bool(row["mode"]["mode"] != Mode.ACTIVE)
        case "fired":
            return bool(row["alerts"])
    return True


def _text(row: Mapping[str, Any]) -> str:
    return " ".join([row["rule"], row["title"], *row["tags"]]).lower()
