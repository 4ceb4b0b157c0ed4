"""Say what a round came to: which attack was found when, and what the platform answers now."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from sqlmodel import Session, col, select

from soc.incidents import lifecycle
from soc.store.tables import Effect, Incident, Run

HELD = ("active", "lifting", "lifted")
LAG = "qf-indexer-lag"


def result_of(session: Session, home: Path, files: Mapping[str, str]) -> dict[str, Any]:
    """Return what the round in *home* came to, as the command's contract has it."""
    truth = orjson.loads((home / "truth.json").read_bytes())
    security = session.exec(
        select(Incident).where(~col(Incident.operations), ~col(Incident.monitor))
    ).all()
    limited = _limited(session)
    with (home / "platform_access.ndjson").open("rb") as file:
        access = [orjson.loads(line) for line in file]
    wallets = {name: set(listed) for name, listed in truth["wallets"].items()}
    return {
        "seed": truth["seed"],
        "attacks": [
            {**_attack(session, attack, security), "last_answers": _last(attack, limited, access)}
            for attack in truth["attacks"]
        ],
        "incidents": len(security),
        "wallets": {
            key: value
            for name, listed in sorted(wallets.items())
            for key, value in ((name, len(listed)), (f"{name}_limited", len(listed & limited)))
        },
        "answers": {s: sum(str(a["status"]) == s for a in access) for s in ("200", "403", "429")},
        "files": dict(files),
    }


def lines_of(result: Mapping[str, Any]) -> list[str]:
    """Return the result as people read it."""
    heads = ("attack", "detected after", "incident", "playbook", "effects", "platform now answers")
    rows = [heads, *(_row(attack) for attack in result["attacks"])]
    widths = [max(len(row[i]) for row in rows) for i in range(len(heads))]
    held = ", ".join(
        f"{result['wallets'][f'{name}_limited']} of {result['wallets'][name]} {name} wallets"
        for name in ("sybil", "honest", "payroll")
    )
    answers = ", ".join(f"{status} {times} times" for status, times in result["answers"].items())
    return [
        *("  ".join(c.ljust(n) for c, n in zip(row, widths, strict=True)).rstrip() for row in rows),
        "",
        f"held back: {held}",
        f"{result['incidents']} incidents; answers: {answers}",
    ]


def _row(attack: Mapping[str, Any]) -> tuple[str, ...]:
    after = attack["detected_after_s"]
    answers = ", ".join(f"{status} to {n}" for status, n in attack["last_answers"].items())
    return (
        attack["kind"],
        "not detected" if after is None else f"{after:.1f} s",
        attack["incident"] or "-",
        attack["playbook_state"] or "-",
        str(attack["effects"]),
        answers or "-",
    )


def _attack(
    session: Session, attack: Mapping[str, Any], security: Sequence[Incident]
) -> dict[str, Any]:
    incident = next((one for one in security if _is(session, one, attack)), None)
    started = datetime.fromisoformat(attack["started"])
    number = incident.id if incident else None
    runs = session.exec(
        select(Run.state).where(col(Run.incident) == number, col(Run.kind) == "playbook")
    )
    states = list(runs) if number else []
    effects = select(Effect).where(col(Effect.incident) == number, col(Effect.state).in_(HELD))
    return {
        "kind": attack["kind"],
        "started": attack["started"],
        "detected_after_s": round((incident.created - started).total_seconds(), 1)
        if incident
        else None,
        "incident": f"INC-{number}" if number else None,
        "playbook_state": next((s for s in states if s != "done"), "done") if states else None,
        "effects": len(session.exec(effects).all()) if number else 0,
    }


def _is(session: Session, incident: Incident, attack: Mapping[str, Any]) -> bool:
    assert incident.id is not None  # noqa: S101 - it was read from the store
    if attack["kind"] == "indexer_lag":
        return any(alert.rule == LAG for alert in lifecycle.alerts_of(session, incident.id))
    named = set(_subjects(attack))
    return bool(named.intersection(lifecycle.entities_of(session, incident.id)))


def _subjects(attack: Mapping[str, Any]) -> Iterable[str]:
    for key, kind in (("wallets", "wallet"), ("ips", "ip"), ("accounts", "account")):
        yield from (f"{kind}:{name}" for name in attack[key])


def _limited(session: Session) -> set[str]:
    subjects = session.exec(select(Effect.subject).where(col(Effect.state).in_(HELD)))
    return {subject.removeprefix("wallet:") for subject in subjects}


def _last(
    attack: Mapping[str, Any], limited: set[str], access: Iterable[Mapping[str, Any]]
) -> dict[str, int]:
    """Return how often which status was the last answer to those of *attack*.

    To the wallets that were held back, if any were; else to all its wallets, else its addresses.
    """
    wallets = set(attack["wallets"]) & limited or set(attack["wallets"])
    key, names = ("wallet", wallets) if wallets else ("ip", set(attack["ips"]))
    last = {line[key]: str(line["status"]) for line in access if line[key] in names}
    return dict(sorted(Counter(last.values()).items()))
