"""Read what events of a chain say besides their columns."""

from soc.detect.sigma.event import field
from soc.model.event import document_of
from soc.model.value import bounded

REMOVED = "removed"


def is_removed(raw: str) -> bool:
    """Return whether the chain took back what the event *raw* tells."""
    return REMOVED in raw and field(document_of(raw), "chain.finality") == REMOVED


def block_of(raw: str) -> str:
    """Return the hash of the block that the event *raw* is in; empty if it does not say."""
    return bounded(field(document_of(raw), "chain.block.hash") or "")
