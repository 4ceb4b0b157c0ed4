"""A real home, a clock that is set, and acts as other stages would have stored them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import Session

from soc.app.suite import Suite
from soc.audit import Act, record
from soc.clock import SettableClock
from soc.ingest.parsers.ecs import Ecs
from soc.model.event import to_table
from soc.model.value import rfc3339
from soc.store.session import session
from soc.store.tables import (
    Alert,
    Approval,
    ApprovalVote,
    Incident,
    LoginFailure,
    PlaybookVersion,
    Run,
)
from tests import stores

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
WALLET = "0x" + "ab" * 20
DATASETS = (
    "chain.transfer", "chain.donation", "chain.block", "funding.donation", "platform.access",
    "platform.auth", "indexer.status",
)  # fmt: skip


class World:
    """One installation, and short ways to let something happen in it."""

    def __init__(self, suite: Suite, clock: SettableClock) -> None:
        self.suite, self.clock = suite, clock

    def write(self, act: Callable[[Session], None]) -> None:
        with session(self.suite.database) as writing:
            act(writing)

    def act(self, action: str = "home.init", of: str = "user:admin", outcome: str = "done") -> None:
        made = Act(at=self.clock.now(), actor="soc", action=action, object=of, outcome=outcome)
        self.write(lambda writing: record(writing, made))

    def events(self) -> None:
        """Let one event of each dataset arrive."""
        now = self.clock.now()
        lines = [
            f'{{"@timestamp":"{rfc3339(now)}","event":{{"dataset":"{d}"}},"wallet":{{"address":"{WALLET}"}}}}'
            for d in DATASETS
        ]
        documents = [{"@timestamp": rfc3339(now), "event": {"dataset": d}} for d in DATASETS]
        rows = [Ecs().parse(line, plain) for line, plain in zip(lines, documents, strict=True)]
        log = self.suite.log()
        log.append(to_table(rows, "platform", now, ["default"] * len(rows)))
        log.close()

    def alert(self, rule: str, verdict: str | None = None, digest: str | None = None) -> None:
        now = self.clock.now()
        every = (*self.suite.rules.ruleset.rules, *self.suite.rules.ruleset.correlations)
        current = next((one.digest for one in every if one.name == rule), "sha256:0")

        def write(writing: Session) -> None:
            incident = Incident(
                title=f"about {WALLET}", severity="high", state="closed" if verdict else "new",
                verdict=verdict, first=now, created=now, changed=now, closed=now if verdict else None,
            )  # fmt: skip
            writing.add(incident)
            writing.flush()
            writing.add(
                Alert(
                    key=f"{rule}{rfc3339(now)}{verdict}", rule=rule, rule_digest=digest or current,
                    title=f"about {WALLET}", severity="high", entity=f"wallet:{WALLET}", bucket=now,
                    first=now, last=now, count=1, state="in_incident", incident=incident.id,
                    created=now, changed=now,
                )
            )  # fmt: skip

        self.write(write)

    def run(
        self, playbook: str, state: str = "done", *, by: str = "soc", earlier: bool = False
    ) -> None:
        now = self.clock.now()
        current = next(p for p in self.suite.playbooks.usable if p.name == playbook).digest
        digest = "sha256:earlier" if earlier else current

        def write(writing: Session) -> None:
            pinned = PlaybookVersion(
                digest=digest, slug=playbook, version=1, content_json="{}", seen=now
            )
            writing.merge(pinned)
            writing.flush()
            writing.add(
                Run(
                    dedup=f"{playbook}{rfc3339(now)}{state}", kind="playbook", playbook=playbook,
                    digest=digest, state=state, requested_by=by, created=now, finished=now,
                )
            )  # fmt: skip

        self.write(write)

    def decide(self, person: str, playbook: str = "qf-sybil-containment", by: str = "soc") -> None:
        """Let *person* decide a question of a run that *by* asked for."""
        now = self.clock.now()
        self.run(playbook, "waiting", by=by)

        def write(writing: Session) -> None:
            approval = Approval(
                run=1, path="decide", ask="?", approvers_json="[]", need=1, digest="sha256:1",
                state="approved", asked=now, expires=now, decided=now,
            )  # fmt: skip
            writing.add(approval)
            writing.flush()
            writing.add(
                ApprovalVote(approval=approval.id or 0, person=person, approve=True, at=now)
            )

        self.write(write)

    def fail_logins(self, times: int) -> None:
        at = self.clock.now()
        rows = [LoginFailure(name="admin", address="192.0.2.1", at=at) for _ in range(times)]
        self.write(lambda writing: writing.add_all(rows))

    def everything(self) -> None:
        """Let all happen that the packaged model looks for."""
        self.act()
        self.events()
        for rule in (
            "qf-common-funder",
            "qf-admin-bruteforce",
            "qf-unmatched-donation",
            "qf-indexer-lag",
            "qf-api-abuse",
        ):
            self.alert(rule)
        self.decide("rhea")
        for playbook in self.suite.playbooks.usable:
            self.run(playbook.name)

    def later(self, **span: float) -> None:
        self.clock.moment += timedelta(**span)


@pytest.fixture
def world(tmp_path: Path) -> World:
    stores.home(tmp_path / "home")
    clock = SettableClock(NOW)
    return World(Suite(tmp_path / "home", clock), clock)
