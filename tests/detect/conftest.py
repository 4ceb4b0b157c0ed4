"""Batches made of a few words."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from soc.model.event import SCHEMA, Batch, Row, to_table
from soc.model.value import EPOCH

NOON = EPOCH + timedelta(days=20_000, hours=12)


@pytest.fixture
def noon() -> datetime:
    return NOON


@pytest.fixture
def batch() -> Callable[..., Batch]:
    """Make a batch of rows: dicts of columns, ``at`` in seconds after noon, ``seen`` as well."""

    def make(rows: list[dict[str, Any]], begin: int = 1, source: str = "src") -> Batch:
        made, seen = [], []
        for row in rows:
            at = row.pop("at", 0)
            seen.append(NOON + timedelta(seconds=row.pop("seen", at)))
            raw = row.pop("raw", "{}")
            made.append(Row(NOON + timedelta(seconds=at), raw, "ecs", **row))
        table = to_table(made, source, NOON, ["default"] * len(made))
        moments = pa.array(seen, SCHEMA.field("ingested").type)
        table = table.set_column(2, SCHEMA.field("ingested"), moments)
        numbers = pa.array(range(begin, begin + len(made)), pa.int64())
        return Batch(table.set_column(0, SCHEMA.field("seq"), numbers), begin + len(made) - 1)

    return make
