"""An installation with a week of work and events in it, drawn by chance from a seed."""

import random
from datetime import datetime, timedelta
from typing import Any

import orjson

from soc.app.suite import Suite
from soc.model.event import Row, to_table
from soc.store.session import session
from soc.store.tables import (
    Alert,
    AlertEvent,
    Approval,
    ApprovalVote,
    Donation,
    Effect,
    Incident,
    IncidentEntity,
    Run,
    Timing,
)
from tests.conftest import NOON

VERDICTS = [
    None,
    None,
    "true_positive",
    "true_positive",
    "false_positive",
    "benign_positive",
    "test",
    "duplicate",
]
RULES = ("qf-sybil-burst", "api-abuse", "guessing")


def later(chance: random.Random, moment: datetime, most: int) -> datetime:
    return moment + timedelta(microseconds=chance.randrange(1, most * 1_000_000))


def fill(suite: Suite, seed: int, incidents: int = 40, events: int = 400) -> None:
    """Put a week before noon into *suite*."""
    chance = random.Random(seed)
    seqs = put_events(suite, chance, events)
    with session(suite.database) as writing:
        for number in range(1, incidents + 1):
            put_incident(writing, chance, number, seqs)
        put_gifts(writing, chance)
        put_timings(writing, chance)


def put_events(suite: Suite, chance: random.Random, events: int) -> int:
    """Append *events* in a few batches; return how many there are."""
    log = suite.log()
    for batch in range(4):
        taken = NOON - timedelta(days=5 - batch, minutes=chance.randrange(60))
        rows = [event(chance, taken, batch * events + n) for n in range(events // 4)]
        log.append(to_table(rows, "platform", taken, ["default"] * len(rows)))
        if batch == 2:
            log.seal()
    log.close()
    return events


def event(chance: random.Random, taken: datetime, number: int) -> Row:
    ts = taken - timedelta(microseconds=chance.randrange(1, 90_000_000))
    if chance.random() < 0.02:
        ts -= timedelta(days=2)
    kind = chance.choice(
        [
            "platform.access",
            "platform.access",
            "funding.donation",
            "chain.donation",
            "chain.transfer",
        ]
    )
    wallet = f"0x{chance.randrange(30):040x}"
    document: dict[str, Any] = {
        "@timestamp": ts.isoformat(),
        "event": {"id": f"e{number}", "dataset": kind},
        "wallet": {"address": wallet},
    }
    tx = None
    if kind == "platform.access":
        document["http"] = {
            "response": {"status_code": chance.choice([200] * 30 + [404, 429, 500, 503])}
        }
        if chance.random() < 0.3:
            wallet = ""
            document["user"] = {"name": f"u{chance.randrange(5)}"}
    if kind.startswith("chain."):
        tx = f"0x{chance.randrange(200):064x}"
        document["chain"] = {"finality": chance.choice(["latest", "finalized"]), "tx": {"hash": tx}}
    return Row(
        ts,
        orjson.dumps(document).decode(),
        "ecs",
        dataset=kind,
        wallet=wallet or None,
        user_name=document.get("user", {}).get("name"),
        tx_hash=tx,
        event_id=f"e{number}",
    )


def put_incident(writing: Any, chance: random.Random, number: int, seqs: int) -> None:
    first = NOON - timedelta(days=6) + timedelta(seconds=chance.randrange(5 * 86_400))
    made = later(chance, first, 3_600)
    verdict = chance.choice(VERDICTS)
    seen = later(chance, made, 7_200) if verdict or chance.random() < 0.5 else None
    resolved = later(chance, seen, 9_000) if verdict and seen else None
    incident = Incident(
        id=number,
        title=f"Incident {number}",
        severity="high",
        state="closed" if verdict else "new",
        operations=chance.random() < 0.1,
        monitor=chance.random() < 0.1,
        verdict=verdict,
        first=first,
        created=made,
        changed=resolved or made,
        acknowledged=seen,
        resolved=resolved,
        closed=resolved,
    )
    writing.add(incident)
    writing.flush()
    named = f"wallet:0x{chance.randrange(30):040x}"
    writing.add(IncidentEntity(incident=number, entity=named, added=made))
    for rule in chance.sample(RULES, chance.randint(1, 2)):
        alert = alert_of(number, rule, named, made)
        writing.add(alert)
        writing.flush()
        seq = chance.randrange(1, seqs * 2)
        writing.add(
            AlertEvent(alert=alert.id, seq=seq, ts=first, source="platform", raw="{}", digest="")
        )
    if chance.random() < 0.6:
        put_answer(writing, chance, number, made)


def put_answer(writing: Any, chance: random.Random, number: int, made: datetime) -> None:
    by = chance.choice(["soc", "soc", "user:ines"])
    run = Run(
        dedup=f"d{number}",
        kind="playbook",
        playbook="p",
        incident=number,
        state=chance.choice(["done", "failed"]),
        requested_by=by,
        created=made,
    )
    writing.add(run)
    writing.flush()
    for kind in chance.sample(["rate_limit", "quarantine", "allow"], 2):
        verified = later(chance, made, 600) if chance.random() < 0.8 else None
        writing.add(
            Effect(
                id=f"EF-{number}-{kind}",
                run=run.id,
                incident=number,
                action="a",
                subject="wallet:0x1",
                kind=kind,
                state="active",
                created=made,
                verified=verified,
            )
        )
    if chance.random() < 0.3:
        asked = Approval(
            run=run.id,
            path="a",
            incident=number,
            ask="?",
            approvers_json="[]",
            need=1,
            digest="",
            state="approved",
            asked=made,
            expires=made,
        )
        writing.add(asked)
        writing.flush()
        writing.add(ApprovalVote(approval=asked.id, person="ines", approve=True, at=made))


def alert_of(incident: int | None, rule: str, entity: str, made: datetime) -> Alert:
    return Alert(
        key=f"{rule}/{entity}/{incident}/{made}", rule=rule, rule_digest="", title=rule, severity="high", entity=entity,
        bucket=made, first=made, last=made, count=1, state="in_incident", incident=incident, created=made, changed=made,
    )  # fmt: skip


def put_gifts(writing: Any, chance: random.Random) -> None:
    for rule in ("soc-source-silent", "soc-telemetry-gap", "soc-detector-failed"):
        writing.add(alert_of(None, rule, "source:x", NOON - timedelta(days=1)))
    for number in range(120):
        announced = NOON - timedelta(minutes=chance.randrange(6 * 1_440))
        on_chain = later(chance, announced, 120) if chance.random() < 0.9 else None
        amount = str(chance.randrange(10**19, 10**21))
        writing.add(
            Donation(tx_hash=f"0x{number}", round="r", project="p", wallet=f"0x{chance.randrange(30):040x}", amount=amount, announced=announced, on_chain=on_chain)
        )  # fmt: skip


def put_timings(writing: Any, chance: random.Random) -> None:
    for number in range(60):
        hour = NOON.replace(minute=0) - timedelta(hours=1 + number % 20)
        writing.merge(
            Timing(
                hour=hour,
                detector=f"d{number % 3}",
                took_ms=chance.randrange(900),
                windows=chance.randint(1, 50),
            )
        )
