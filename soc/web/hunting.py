"""Hunt: ask the stored events by a filter, by SQL or by a Sigma rule, and keep the rule."""

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Query
from pydantic import Field

from soc.access.permissions import Permission, Principal
from soc.app.content import every_rule_file
from soc.app.hunting import rows_of, tried
from soc.app.rulefiles import called
from soc.app.suite import Suite
from soc.audit import Act, record
from soc.clock import monotonic
from soc.detect.sigma.ruleset import Ruleset
from soc.errors import Illegal, QueryError, Refused
from soc.logs import query as queries
from soc.logs.filter import parse
from soc.logs.port import Bucket, Search
from soc.model.shard import events_of
from soc.model.value import rfc3339
from soc.store import rule_states
from soc.store.session import session
from soc.store.tables import RuleState
from soc.web.asked import Body, Plain, needs
from soc.web.front import Front

LONGEST = 16_000
"""Characters of a rule."""
LONGEST_ASKED = 4_000
"""Characters of a question: it has to fit into an address."""
MOST = 200
"""Rows of one answer."""
BARS = 48
"""Bars of the histogram."""
SLUG = re.compile(r"[a-z0-9][a-z0-9-]{2,60}")
SPANS = {"1h": timedelta(hours=1), "24h": timedelta(days=1), "7d": timedelta(days=7)}
SPANS |= {"30d": timedelta(days=30), "all": timedelta(days=36_500)}
TOP_FIELDS = ("event.dataset", "event.action", "event.outcome", "wallet.address", "user.name")
TOPS = 5


class Language(StrEnum):
    """How a question is asked.

    filter: terms such as field:value. sql: one SELECT on the view events. sigma: a rule.
    """

    FILTER = "filter"
    SQL = "sql"
    SIGMA = "sigma"


class Question(NamedTuple):
    """What is asked, and of which time; SQL says its times itself."""

    language: Language
    text: str
    since: datetime | None
    until: datetime


Asked = Annotated[str, Query(max_length=LONGEST_ASKED)]
Span = Annotated[str, Query(pattern="^(1h|24h|7d|30d|all)$")]


class NewRule(Body):
    """A Sigma rule to keep. It is only watched until somebody lets it act."""

    text: Annotated[str, Field(min_length=1, max_length=LONGEST)]

    model_config = Body.model_config | {"str_max_length": LONGEST}


def add(routes: APIRouter, front: Front) -> None:
    """Add the routes to *routes*."""
    reads = needs(front, Permission.READ)
    authors = needs(front, Permission.AUTHOR, person=True)

    @routes.get("/hunt", tags=["events"], dependencies=[reads])
    def hunt(q: Asked = "", language: Language = Language.FILTER, since: Span = "24h") -> Plain:
        """Return what a question finds: rows, and for a filter a histogram and top values."""
        return answer(front, question(front, language, q, since))

    @routes.post("/hunt/rule", tags=["events"], status_code=201)
    def keep(given: NewRule, who: Principal = authors) -> Plain:
        """Keep a Sigma rule in the site's content, to be watched at first; as a person."""
        return {"rule": keep_rule(front.suite, given.text, who)}


def question(front: Front, language: Language, text: str, since: str) -> Question:
    """Return a question about the last *since*."""
    now = front.suite.clock.now()
    begin = None if since == "all" else now - SPANS[since]
    return Question(language, text.strip(), begin, now + timedelta(seconds=1))


def answer(front: Front, asked: Question) -> Plain:
    """Return what *asked* finds; raises QueryError and Refused for what cannot be asked."""
    began = monotonic()
    ask = {
        Language.FILTER: _filtered,
        Language.SQL: _selected,
        Language.SIGMA: _matched,
    }[asked.language]
    found = ask(front, asked)
    upto = events_of(front.log.reader.upto())
    return {**found, "complete_to": upto, "took_ms": round((monotonic() - began) * 1000)}


def _filtered(front: Front, asked: Question) -> Plain:
    reader = front.log.reader
    wanted = Search(parse(asked.text), asked.since, asked.until, MOST)
    rows = [_shown(row) for row in reader.search(wanted)]
    if not rows:
        return {"rows": [], "total": 0, "histogram": [], "tops": {}, "problems": []}
    begin = asked.since or datetime.fromisoformat(min(row["ts"] for row in rows))
    every = _width(asked.until - begin)
    bars = reader.aggregate(wanted, every=every)
    begun = [bar for bar in bars if bar.begin is not None][-MOST:]
    return {
        "rows": rows,
        "total": sum(bar.events for bar in bars),
        "histogram": [{"begin": _at(bar), "events": bar.events} for bar in begun],
        "tops": {field: _top(reader.aggregate(wanted, [field])) for field in TOP_FIELDS},
        "problems": [],
    }


def _top(buckets: list[Bucket]) -> list[Plain]:
    """Return the values that most events have, with how many."""
    known = [one for one in buckets if one.key[0]]
    most = sorted(known, key=lambda one: (-one.events, one.key))[:TOPS]
    return [{"value": one.key[0], "events": one.events} for one in most]


def _width(span: timedelta) -> timedelta:
    """Return how wide a bar is: at least a minute, and not more than 48 of them."""
    return max(timedelta(minutes=1), timedelta(seconds=span.total_seconds() // BARS + 1))


def _at(bar: Bucket) -> str:
    return rfc3339(bar.begin) if bar.begin else ""


def _selected(front: Front, asked: Question) -> Plain:
    if not asked.text:
        raise QueryError("write one SELECT on the view events")
    allowed = front.suite.settings.logs
    rows = queries.sql(front.log.reader, asked.text, MOST, allowed)
    shown = [{name: _plain(value) for name, value in row.items()} for row in rows]
    return {"rows": shown, "total": len(rows), "histogram": [], "tops": {}, "problems": []}


def _matched(front: Front, asked: Question) -> Plain:
    if not asked.text:
        raise QueryError("write a Sigma rule")
    ruleset = loaded(front.suite, asked.text)
    found = rows_of(front.suite, ruleset, asked.since, asked.until, MOST)
    rows = found["rows"]
    return {
        "rows": rows,
        "total": len(rows),
        "histogram": [],
        "tops": {},
        "problems": found["problems"],
    }


def loaded(suite: Suite, text: str) -> Ruleset:
    """Return the rules in *text*, as the site reads them; raises Refused with the first mistake."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rule.yml"
        path.write_text(text, encoding="utf-8")
        ruleset = tried(suite, path)
    if ruleset.failed:
        wrong = ruleset.failed[0]
        raise Refused(f"line {wrong.line}: {wrong.message}")
    return ruleset


def keep_rule(suite: Suite, text: str, who: Principal) -> str:
    """Write a rule into the site's content, watched only; return its slug.

    Raises Refused for a rule with mistakes or without a name, Illegal where there is one already.
    """
    ruleset = loaded(suite, text)
    made = [*ruleset.rules, *ruleset.correlations]
    name = made[-1].name if made else ""
    if not SLUG.fullmatch(name) or f"name: {name}" not in text:
        raise Refused("name: write what the rule is called, in small letters, such as my-new-rule")
    path = suite.home.content("rules") / f"{name}.yml"
    if any(called(one, name) for one in every_rule_file(suite.settings, suite.home)):
        raise Illegal(f"there is a rule {name} already: choose another name")
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".tmp")
    draft.write_text(text.rstrip() + "\n", encoding="utf-8")
    now = suite.clock.now()
    reason = "new: watched before it may act"
    watched = RuleState(rule=name, mode="monitor", reason=reason, by=who.name, at=now)
    with session(suite.database) as writing:
        rule_states.switch(writing, watched)
        act = Act(at=now, actor=who.name, action="rule.add", object=f"rule:{name}", reason=reason)
        record(writing, act)
    # Watchers see the file only now, when it is said that it may not act.
    draft.rename(path)
    return name


def _shown(row: Any) -> Plain:  # noqa: ANN401 - columns of any type
    names = ("seq", "source", "dataset", "action", "outcome", "wallet", "user_name", "src_ip")
    return {"ts": rfc3339(row["ts"]), **{name: row.get(name) for name in (*names, "message")}}


def _plain(value: object) -> object:
    """Return *value* as JSON has it."""
    if isinstance(value, datetime):
        return rfc3339(value if value.tzinfo else value.replace(tzinfo=UTC))
    return value if isinstance(value, str | int | float | bool | None) else str(value)
