"""A round of four honest wallets and a ring of four, which an incident names."""

from typing import Any

from sqlmodel import Session

from soc.incidents.record import record
from soc.model.value import Entity, Severity
from soc.store.session import Database, session
from soc.store.tables import Donation, Project, Round
from soc.triage import Incidents
from tests.conftest import NOON, _finding

RING = tuple(f"0xf{n}" for n in range(4))


def give(
    writing: Session, project: str, wallet: str, amount: int, round_: str = "r", **more: Any
) -> None:
    given = {"on_chain": NOON, **more}
    tx = f"{round_}/{project}/{wallet}"
    writing.add(
        Donation(
            tx_hash=tx, round=round_, project=project, wallet=wallet, amount=str(amount), **given
        )
    )


def open_round(writing: Session, pool: int = 1000, name: str = "r") -> None:
    writing.add(Round(id=name, name=f"Round {name}", pool=str(pool), opened=NOON))
    for project in ("good", "bad"):
        writing.add(Project(round=name, id=project, name=f"The {project} one"))


def play(database: Database) -> None:
    named = tuple(Entity.parse(f"wallet:{wallet}") for wallet in RING)
    with session(database) as writing:
        open_round(writing)
        for n in range(4):
            give(writing, "good", f"0xa{n}", 100)
        for wallet in RING:
            give(writing, "bad", wallet, 100)
        found = _finding("wallet:0xf0", entities=named, severity=Severity.MEDIUM)
        record(writing, [found], {}, NOON, Incidents())
