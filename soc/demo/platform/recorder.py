"""Tell the suite what happens, in the published event format (funding-event.json)."""

from dataclasses import asdict
from datetime import datetime
from itertools import count
from typing import Any, NamedTuple

from soc.demo.platform.chain import CHAIN_ID, Block, Transaction
from soc.demo.platform.machine import now, rfc3339, token
from soc.demo.platform.outbox import Outbox
from soc.demo.platform.store import Donation, Project, Round

LONGEST_PATH = 2048
FAILURE = 400
"""Answers from this on are no success."""


class Access(NamedTuple):
    """A request and the status it was answered with."""

    method: str
    path: str
    status: int


class Recorder:
    """Makes each event once, with an id that never changes, and puts it into the outbox."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._boot = token()[:8]
        self._numbers = count(1)

    def round(self, this: Round, action: str) -> None:
        """Record that a round was opened or closed."""
        self._put("platform", "funding.round", action, {"funding": {"round": asdict(this)}})

    def project(self, project: Project) -> None:
        """Record that a project may be given to."""
        facts = {"id": project.id, "name": project.name, "owner": project.owner}
        funding = {"round": {"id": project.round}, "project": facts}
        self._put("platform", "funding.project", "project-registered", {"funding": funding})

    def announced(self, donation: Donation, ip: str) -> None:
        """Record that a wallet says it has given."""
        groups = {
            "wallet": {"address": donation.wallet},
            "funding": _gift(donation.round, donation.project, donation.amount),
            "chain": {"tx": {"hash": donation.tx_hash}},
            "source": {"ip": ip},
        }
        self._put("platform", "funding.donation", "donate", groups, outcome="success")

    def access(self, request: Access, *, ip: str, wallet: str | None, user: str | None) -> None:
        """Record one request and its answer."""
        groups: dict[str, Any] = {
            "http": {
                "request": {"method": request.method},
                "response": {"status_code": request.status},
            },
            "url": {"path": request.path[:LONGEST_PATH]},
            "source": {"ip": ip},
        }
        if wallet:
            groups["wallet"] = {"address": wallet}
        if user:
            groups["user"] = {"name": user}
        outcome = "success" if request.status < FAILURE else "failure"
        self._put("platform", "platform.access", "request", groups, outcome=outcome, category="web")

    def login(self, *, name: str, roles: list[str], ip: str, success: bool) -> None:
        """Record an attempt to log in as one of the staff."""
        groups = {"user": {"name": name, "roles": roles}, "source": {"ip": ip}}
        outcome = "success" if success else "failure"
        self._put(
            "platform", "platform.auth", "login", groups, outcome=outcome, category="authentication"
        )

    def block(self, block: Block) -> None:
        """Record that the indexer has read a block: its heartbeat."""
        key = f"{CHAIN_ID}:{block.hash}"
        groups = {"chain": _place(block)}
        self._put("chain", "chain.block", "block", groups, at=block.time, key=key)

    def transaction(self, tx: Transaction, block: Block) -> None:
        """Record what the indexer found in a block: a transfer or a donation."""
        chain = {**_place(block), "tx": {"hash": tx.hash}}
        groups: dict[str, Any] = {"wallet": {"address": tx.sender}, "chain": chain}
        if tx.receiver is None:
            dataset, action = "chain.donation", "donate"
            groups["funding"] = _gift(tx.round, tx.project, tx.amount)
        else:
            dataset, action = "chain.transfer", "transfer"
            groups["counterparty"] = {"address": tx.receiver}
            chain["value"] = {"raw": tx.amount}
        key = f"{CHAIN_ID}:{block.hash}:{tx.hash}"
        self._put("chain", dataset, action, groups, at=block.time, key=key)

    def status(self, *, head: int, blocks: int, seconds: float) -> None:
        """Record how far the indexer is, and how far behind the chain."""
        lag = {"blocks": blocks, "seconds": round(seconds, 3)}
        facts = {"name": "demo-indexer", "head": head, "lag": lag}
        self._put("indexer", "indexer.status", "status", {"indexer": facts})

    def _put(
        self,
        source: str,
        dataset: str,
        action: str,
        groups: dict[str, Any],
        *,
        at: datetime | None = None,
        key: str | None = None,
        category: str | None = None,
        outcome: str | None = None,
    ) -> None:
        identity = key or f"{source}:{self._boot}:{next(self._numbers)}"
        event: dict[str, Any] = {
            "id": identity,
            "kind": "event",
            "dataset": dataset,
            "action": action,
        }
        if category:
            event["category"] = [category]
        if outcome:
            event["outcome"] = outcome
        document = {"@timestamp": rfc3339(at or now()), "event": event, **groups}
        self._outbox.put(source, identity, document)


def _place(block: Block) -> dict[str, Any]:
    return {
        "id": CHAIN_ID,
        "finality": "finalized",
        "block": {"number": block.number, "hash": block.hash},
    }


def _gift(round_id: str | None, project: str | None, amount: str) -> dict[str, Any]:
    return {
        "round": {"id": round_id},
        "project": {"id": project},
        "amount": {"raw": amount},
        "token": {"symbol": "USDC"},
    }
