"""ECS JSON, nested or dotted: what most shippers send, and the funding event format."""

from collections.abc import Mapping
from typing import Any

from soc.ingest import fields
from soc.model.event import Row


class Ecs:
    """Takes every JSON object that has an ``@timestamp``."""

    name = "ecs"

    def claims(self, document: Mapping[str, Any]) -> bool:
        """Return whether this looks like ECS; it is asked last."""
        return "@timestamp" in document

    def parse(self, line: str, document: Mapping[str, Any]) -> Row:
        """Return the core fields of *document*; raises Refused if it has no time."""
        return Row(
            ts=fields.moment(document.get("@timestamp")),
            raw=line,
            parser=self.name,
            dataset=fields.text(document, "event.dataset", "data_stream.dataset"),
            action=fields.text(document, "event.action"),
            outcome=fields.text(document, "event.outcome"),
            wallet=fields.address(document, "wallet.address"),
            counterparty=fields.address(document, "counterparty.address"),
            user_name=fields.text(document, "user.name"),
            src_ip=fields.text(document, "source.ip", "client.ip"),
            host=fields.text(document, "host.name", "host.hostname"),
            project=fields.text(document, "funding.project.id"),
            round=fields.text(document, "funding.round.id"),
            amount=fields.whole_number(document, "funding.amount.raw", "chain.value.raw"),
            tx_hash=fields.address(document, "chain.tx.hash"),
            event_id=fields.text(document, "event.id"),
            message=fields.text(document, "message"),
        )
