"""A real home with a story in it: two wallets, an incident, a question, effects, a reject."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from fastapi import FastAPI
from passlib.hash import argon2
from starlette.testclient import TestClient

from soc.access.permissions import Role
from soc.app.suite import Suite
from soc.clock import SettableClock
from soc.incidents.alerts import Evidence
from soc.incidents.record import record
from soc.model.event import Reject
from soc.model.finding import Finding, Match, Score
from soc.model.value import Entity, EntityKind, Severity
from soc.respond import approvals, ledger
from soc.respond.action import Hold
from soc.respond.step import Ask
from soc.store.tables import Effect, Run, Step, User
from soc.web.app import build
from soc.web.front import Front
from tests import stores

NOW = datetime(2026, 11, 23, 8, 42, 10, tzinfo=UTC)
WALLET = "0x7a3f00000000000000000000000000000000c91d"
OTHER = "0x88f100000000000000000000000000000000a2c4"
EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>"
PASSWORD = "correct horse battery staple"
PEOPLE = {
    "vera": {Role.VIEWER},
    "ann": {Role.ANALYST},
    "rob": {Role.RESPONDER},
    "ines": {Role.APPROVER},
    "max": {Role.ANALYST, Role.RESPONDER, Role.APPROVER},
}


@dataclass
class Site:
    """A front door whose people are known, and browsers for them."""

    front: Front
    app: FastAPI
    clock: SettableClock
    known: dict[str, TestClient] = field(default_factory=dict)

    def browser(self, person: str | None = None) -> TestClient:
        """Return a browser, logged in as *person* if one is named."""
        client = TestClient(
            self.app,
            base_url="http://soc.example",
            headers={"Accept": "text/html", "Sec-Fetch-Site": "same-origin"},
            follow_redirects=False,
        )
        if person:
            form = {"user": person, "password": PASSWORD}
            assert client.post("/login", data=form).status_code == 303
        return client

    def seen_by(self, person: str) -> TestClient:
        """Return the browser of *person*, logged in once: for tests that only look."""
        if person not in self.known:
            self.known[person] = self.browser(person)
        return self.known[person]


@cache
def hashed() -> str:
    """Return what is kept of PASSWORD, so that a log-in costs little; soc.access hashes at length."""
    return str(argon2.using(memory_cost=8, rounds=1, parallelism=1).hash(PASSWORD))


def user(name: str, roles: set[Role]) -> User:
    """Return a person's account."""
    return User(name=name, password=hashed(), roles_json=json.dumps(sorted(roles)), created=NOW)


def finding(
    rule: str = "qf-wallet-flood", severity: Severity = Severity.HIGH, **more: object
) -> Finding:
    """Return a finding about WALLET."""
    facts = {
        "rule": rule,
        "rule_digest": "sha256:" + "ab" * 32,
        "title": f"Wallet gave 212 times in one hour {EVIL}",
        "severity": severity,
        "entity": Entity(kind=EntityKind.WALLET, value=WALLET),
        "entities": (Entity(kind=EntityKind.IP, value="203.0.113.9"),),
        "bucket": NOW - timedelta(hours=1),
        "first": NOW - timedelta(minutes=50),
        "last": NOW - timedelta(minutes=40),
        "count": 3,
        "matched": (Match(selection="burst", field="wallet.address", value=f"{WALLET}{EVIL}"),),
        "seqs": (1, 2),
        "author": "Ines <ines@example.org>",
        "licence": "Apache-2.0",
    }
    return Finding(**facts | more)


def fill(front: Front) -> None:
    """Put one of everything into the store."""
    suite = front.suite
    events = {n: Evidence(n, NOW, "nginx", f'{{"message": "gift {n} {EVIL}"}}') for n in (1, 2, 3)}
    model = finding(
        "wallet-anomaly",
        Severity.LOW,
        score=Score(value=0.97, reasons=(f"hour {EVIL}",)),
        seqs=(3,),
    )
    other = finding(
        "soc-source-gap",
        Severity.MEDIUM,
        title="Source nginx sent nothing for ten minutes",
        matched=(),
        seqs=(),
        entity=Entity(kind=EntityKind.SOURCE, value="nginx"),
        entities=(),
    )
    watched = finding(
        "sigma-web",
        Severity.HIGH,
        monitor=True,
        entity=Entity(kind=EntityKind.HOST, value="web-1"),
        entities=(),
    )
    with front.writing() as writing:
        record(
            writing,
            [finding(), model, other, watched],
            events,
            NOW - timedelta(minutes=30),
            suite.settings.incidents,
        )
        run = Run(
            dedup="r1",
            kind="playbook",
            playbook="qf-flood",
            incident=1,
            state="waiting",
            requested_by="soc",
            created=NOW - timedelta(minutes=29),
            inputs_json='{"wallets": ["x"]}',
        )
        undo = Run(
            dedup="u1",
            kind="undo",
            playbook="wallet.rate_limit",
            effect="EF-0-old",
            incident=1,
            state="done",
            reason=f"appeal {EVIL}",
            requested_by="user:rob",
            created=NOW,
            finished=NOW,
        )
        writing.add_all([run, undo])
        writing.flush()
        steps = [
            ("limit", "done", "wallet.rate_limit", '{"items": [1]}', None),
            ("limit[0]", "done", "wallet.rate_limit", f'{{"wallet": "{OTHER}"}}', None),
            ("tell", "failed", "notify.send", "{}", f"OSError {EVIL}"),
            ("ask", "waiting", None, "{}", None),
        ]
        for order, (path, state, use, given, error) in enumerate(steps):
            writing.add(
                Step(
                    run=run.id,
                    path=path,
                    order=order,
                    state=state,
                    use=use,
                    input_json=given,
                    error=error,
                    started=NOW,
                    finished=None if state == "waiting" else NOW,
                )
            )
        hold = Hold(subject=f"wallet:{WALLET}", kind="quarantine")
        approvals.ask(
            writing,
            run,
            "ask",
            Ask(ask=f"Quarantine 1 wallet? {EVIL}", approvers=("role:approver",)),
            [hold],
            NOW - timedelta(minutes=20),
        )
        limit = Hold(subject=f"wallet:{OTHER}", kind="rate_limit", rate=6, burst=3)
        for name, held in (("EF-1-limit-0", limit), ("EF-1-hold-0", hold)):
            effect = ledger.effect_of(name, run, "limit[0]", "wallet.rate_limit", held, NOW)
            effect.until = NOW + timedelta(hours=24)
            ledger.propose(writing, effect)
        ledger.enforce(writing, writing.get_one(Effect, "EF-1-limit-0"), NOW)
        gone = ledger.effect_of("EF-0-old", run, "limit[1]", "wallet.rate_limit", limit, NOW)
        ledger.enforce(writing, gone, NOW)
        ledger.lift(writing, "EF-0-old", "RUN-2", NOW)
    front.store([("nginx", Reject(raw=f"not a line {EVIL}", reason=f"no parser takes it {EVIL}"))])


@contextmanager
def opened(path: Path, settings: str = "") -> Iterator[Site]:
    """Give a filled site whose home is at *path*, with *settings* if there are any."""
    made = stores.home(path)
    if settings:
        made.settings.write_text(settings)
    clock = SettableClock(NOW)
    suite = Suite(path, clock)
    with closing(suite.log()) as log:
        front = Front(suite, log, patience=120)
        with front.writing() as writing:
            writing.add_all(user(name, roles) for name, roles in PEOPLE.items())
        fill(front)
        yield Site(front, build(front), clock)
    suite.database.dispose()
