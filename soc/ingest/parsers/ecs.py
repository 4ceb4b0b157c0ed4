"""ECS JSON, nested or dotted: what most shippers send, and the funding event format."""

from collections.abc import Callable, Mapping
from typing import Any

from soc.ingest import fields
from soc.model.event import Row

Spelling = Callable[[str | None], str | None]
TIME = "@timestamp"
COLUMNS: Mapping[str, tuple[Spelling | None, tuple[str, ...]]] = {
    "dataset": (None, ("event.dataset", "data_stream.dataset")),
    "action": (None, ("event.action",)),
    "outcome": (None, ("event.outcome",)),
    "wallet": (fields.lowered, ("wallet.address",)),
    "counterparty": (fields.lowered, ("counterparty.address",)),
    "user_name": (None, ("user.name",)),
    "src_ip": (None, ("source.ip", "client.ip")),
    "host": (None, ("host.name", "host.hostname")),
    "project": (None, ("funding.project.id",)),
    "round": (None, ("funding.round.id",)),
    "amount": (fields.digits, ("funding.amount.raw", "chain.value.raw")),
    "tx_hash": (fields.lowered, ("chain.tx.hash",)),
    "event_id": (None, ("event.id",)),
    "message": (None, ("message",)),
}
"""What each column holds: the first of the fields that says something, spelt in one way."""


class Ecs:
    """Takes every JSON object that has an ``@timestamp``."""

    name = "ecs"

    def claims(self, document: Mapping[str, Any]) -> bool:
        """Return whether this looks like ECS; it is asked last."""
        return TIME in document

    def parse(self, line: str, document: Mapping[str, Any]) -> Row:
        """Return the core fields of *document*; raises Refused if it has no time."""
        ts = fields.moment(document.get(TIME))
        found = {}
        for column, (spelling, names) in COLUMNS.items():
            words = fields.text(document, *names)
            found[column] = spelling(words) if spelling else words
        return Row(ts=ts, raw=line, parser=self.name, **found)
