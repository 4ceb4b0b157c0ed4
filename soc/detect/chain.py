"""Read what events of a chain say besides their columns."""

from collections.abc import Mapping
from typing import Any

import orjson

from soc.detect.sigma.event import field
from soc.model.value import bounded

REMOVED = "removed"


def is_removed(raw: str) -> bool:
    """Return whether the chain took back what the event *raw* tells."""
    return REMOVED in raw and field(_document(raw), "chain.finality") == REMOVED


def block_of(raw: str) -> str:
    """Return the hash of the block that the event *raw* is in; empty if it does not say."""
    return bounded(field(_document(raw), "chain.block.hash") or "")


def _document(raw: str) -> Mapping[str, Any]:
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}
