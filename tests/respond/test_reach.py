"""What guards are told of the store."""

from datetime import timedelta

from soc.clock import SettableClock
from soc.respond import stopping
from soc.respond.action import Hold
from soc.respond.guard import Facts
from soc.respond.reach import facts
from soc.settings import Respond
from soc.store.session import Database, session
from soc.store.tables import Donation, Run
from tests.respond.effects import enforce

BUDGETED = Respond(budgets={"mine": 9, "wallet.quarantine": 9}, budget_share=0.5)
HOLD = Hold(subject="wallet:0xnew", kind="quarantine")


def test_facts_are_those_of_the_last_hour_and_of_the_donors_of_a_month(
    database: Database, clock: SettableClock
) -> None:
    start = clock.now()
    with session(database) as writing:
        runs = [
            Run(
                dedup=name, kind="playbook", playbook=name, state="running", requested_by="soc",
                created=start,
            )
            for name in ("mine", "other")
        ]  # fmt: skip
        writing.add_all(runs)
        writing.flush()
        mine, other = (run.id for run in runs)
        enforce(writing, "EF-0", start - timedelta(hours=1), subject="wallet:0xover", run=mine)
        enforce(writing, "EF-1", start, subject="wallet:0xa", run=mine)
        enforce(writing, "EF-2", start, subject="wallet:0xb", run=other)
        enforce(writing, "EF-3", start, subject="wallet:0xc", kind="allow", run=other)
        for number, wallet in enumerate(("0xa", "0xa", "0xb", "0xc", "0xd", "0xnew")):
            writing.add(
                Donation(
                    tx_hash=f"0x{number}", round="r", project="p", wallet=wallet, amount="1",
                    announced=start - timedelta(days=1),
                )
            )  # fmt: skip
        long_ago = start - timedelta(days=31)
        writing.add(
            Donation(
                tx_hash="0x9", round="r", project="p", wallet="0xover", amount="1",
                on_chain=long_ago,
            )
        )  # fmt: skip
        stopping.stop(writing, "user:rhea", "a rule went wild", start)

    with session(database) as looking:
        found = facts(
            looking, looking.get_one(Run, mine), "wallet.quarantine", [HOLD], BUDGETED, start
        )
        idle = facts(looking, looking.get_one(Run, mine), "notify.send", [], BUDGETED, start)

    assert found == Facts(
        playbook="mine",
        action="wallet.quarantine",
        stopped="a rule went wild",
        by_playbook=frozenset({"wallet:0xa"}),
        by_action=frozenset({"wallet:0xa", "wallet:0xb", "wallet:0xc"}),
        donors=5,
        donors_held=3,
    )
    assert idle == Facts(playbook="mine", action="notify.send", stopped="a rule went wild")
