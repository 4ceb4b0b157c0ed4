"""What playbooks would have done: told from the incidents of the store, and nothing is written."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlmodel import Session, SQLModel, func, select

from soc.clock import SettableClock
from soc.incidents import lifecycle
from soc.incidents.record import record
from soc.model.finding import Finding
from soc.respond.backtest import backtest
from soc.respond.hands import LiveHands
from soc.respond.playbook import Playbook
from soc.respond.trigger import trigger
from soc.respond.turn import Means
from soc.settings import Mode, Respond
from soc.store.session import Database, session
from soc.store.tables import Donation, Run
from soc.triage import Incidents
from tests.respond.stage import ACTIONS, limit, playbook

DAY = timedelta(days=1)
Found = Callable[..., Finding]
ANSWERS = {"on": {"incident": {"rules": ["some-rule"]}}}
HOLD = limit("hold", "${{ item }}", for_each="${{ incident.wallets }}")


class Past:
    """A store in which incidents happened, one for each wallet."""

    def __init__(self, database: Database, clock: SettableClock, finding: Found) -> None:
        self.database, self.clock, self._finding = database, clock, finding

    def incident(
        self, *wallets: str, rule: str = "some-rule", verdict: str = "", **more: Any
    ) -> int:
        """Let something be found about *wallets*, and perhaps be closed with a verdict."""
        now = self.clock.now()
        made = self._finding(f"wallet:{wallets[0]}", rule, at=now, **more)
        named = tuple(self._finding(f"wallet:{wallet}").entity for wallet in wallets)
        with session(self.database) as writing:
            found = made.model_copy(update={"entities": named})
            (change,) = record(writing, [found], {}, now, Incidents())
            if verdict:
                lifecycle.close(writing, change.incident, verdict, "n", "user:a", now)
        return change.incident

    def gift(self, wallet: str, amount: int, at: datetime) -> None:
        with session(self.database) as writing:
            number = writing.exec(select(func.count()).select_from(Donation)).one()
            writing.add(
                Donation(
                    tx_hash=f"0x{number}", round="r", project="p", wallet=wallet,
                    amount=str(amount), on_chain=at,
                )
            )  # fmt: skip

    def told(self, *books: Playbook, policy: Respond | None = None, days: int = 30) -> Any:
        """Return what is told of each playbook; of one, that alone."""
        means = Means(
            actions=ACTIONS,
            notifier=None,
            playbook={b.name: b for b in books}.get,
            hands=LiveHands(),
        )  # type: ignore[arg-type]
        given = policy or Respond(mode=Mode.FULL)
        since = self.clock.now() - days * DAY
        rows = backtest(self.database, books, since, means, given, self.clock)
        return rows if len(rows) != 1 else rows[0]

    def rows(self) -> dict[str, int]:
        """Return how many rows each table has."""
        with Session(self.database) as reading:
            tables = SQLModel.metadata.sorted_tables
            return {
                table.name: reading.exec(select(func.count()).select_from(table)).one()
                for table in tables
            }


@pytest.fixture
def past(database: Database, clock: SettableClock, finding: Found) -> Past:
    return Past(database, clock, finding)


def test_each_incident_that_it_answers_is_a_run(past: Past) -> None:
    past.incident("0xa", "0xb")
    past.incident("0xc")
    past.incident("0xd", rule="another-rule")

    told = past.told(playbook([HOLD], **ANSWERS))

    assert (told["runs"], told["wallets"], told["failed"]) == (2, 3, 0)


def test_it_tells_what_would_really_have_been_queued(past: Past, clock: SettableClock) -> None:
    """The engine's own trigger queues as many runs as are told, whatever it is that triggers."""
    on = {
        "rules": ["some-rule"],
        "severity": ["high"],
        "when": "${{ incident.wallets | length < 3 }}",
    }
    books = [
        playbook([HOLD], playbook="all", **ANSWERS),
        playbook([HOLD], playbook="some", on={"incident": on}),
        playbook([HOLD], playbook="once", once_per="${{ incident.severity }}", **ANSWERS),
        playbook([HOLD], playbook="hand", on={"manual": ["role:responder"]}),
    ]
    numbers = [past.incident("0xa"), past.incident("0xb", "0xc", "0xd"), past.incident("0xe")]

    told = {one["playbook"]: one["runs"] for one in past.told(*books)}
    with session(past.database) as writing:
        trigger(writing, numbers, books, clock.now())
        queued = dict(writing.exec(select(Run.playbook, func.count()).group_by(Run.playbook)).all())

    assert told == {"hand": 0, **queued} == {"all": 3, "some": 2, "once": 1, "hand": 0}


def test_only_incidents_since_then_count(past: Past, clock: SettableClock) -> None:
    past.incident("0xa")
    clock.moment += 10 * DAY
    past.incident("0xb")

    told = past.told(playbook([HOLD], **ANSWERS), days=5)

    assert (told["runs"], told["wallets"]) == (1, 1)


def test_wallets_that_were_cleared_later_are_counted(past: Past) -> None:
    past.incident("0xa", verdict="false_positive")
    past.incident("0xb", "0xc", verdict="benign_positive")
    past.incident("0xd", verdict="true_positive")
    past.incident("0xe")

    told = past.told(playbook([HOLD], **ANSWERS))

    assert (told["wallets"], told["later_cleared"]) == (5, 3)


def test_gifts_of_held_wallets_count_while_they_are_held(past: Past, clock: SettableClock) -> None:
    begin = clock.now()
    past.gift("0xa", 1, begin - timedelta(seconds=1))
    past.gift("0xa", 10, begin)
    past.gift("0xa", 100 * 10**18, begin + DAY)
    past.gift("0xa", 1, begin + DAY + timedelta(seconds=1))
    past.gift("0xb", 1, begin)
    past.incident("0xa")
    past.incident("0xa", rule="another-rule")

    told = past.told(playbook([HOLD], **ANSWERS))

    assert (told["donations"], told["amount"]) == (2, str(10 + 100 * 10**18))


def test_approvals_and_caps_are_counted_apart(past: Past) -> None:
    past.incident("0xa", "0xb")
    past.incident("0xc")
    ask = {"id": "ask", "approval": {"ask": "?", "approvers": ["role:admin"]}}

    told = past.told(playbook([HOLD, ask], **ANSWERS), policy=Respond(mode=Mode.CONTAIN, budget=1))

    assert told["approvals"] == 2
    assert told["caps"] == {"2 subjects are over the budget of 1": 1}


def test_a_playbook_that_cannot_run_is_told_and_stops_no_other(past: Past) -> None:
    number = past.incident("0xa")
    unclear = {"incident": {"rules": ["some-rule"], "when": "${{ incident.nothing }}"}}
    needy = {"must": {"type": "int", "required": True}}
    books = [
        playbook([HOLD], playbook="unclear", on=unclear),
        playbook([HOLD], playbook="needy", inputs=needy, **ANSWERS),
        playbook([HOLD], playbook="good", **ANSWERS),
    ]

    told = {one["playbook"]: one for one in past.told(*books)}

    assert [told[name]["runs"] for name in ("unclear", "needy", "good")] == [0, 0, 1]
    assert told["unclear"]["problems"][0].startswith(f"INC-{number}: ")
    assert told["needy"]["problems"] == [f"INC-{number}: must: is required"]


def test_a_child_s_wallets_count(past: Past) -> None:
    past.incident("0xa")
    given = {"wallets": "${{ incident.wallets }}"}
    child = playbook(
        [limit("hold", "${{ item }}", for_each="${{ inputs.wallets }}")],
        playbook="child",
        inputs={"wallets": {"type": "list", "required": True}},
    )
    parent = playbook([{"id": "more", "playbook": "child", "with": given}], **ANSWERS)

    told = past.told(parent, child)

    assert (told[0]["runs"], told[0]["wallets"]) == (1, 1)


def test_nothing_is_written(past: Past) -> None:
    past.incident("0xa", verdict="false_positive")
    before = past.rows()

    past.told(playbook([HOLD], **ANSWERS))

    assert past.rows() == before
