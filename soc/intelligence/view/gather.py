"""What events say of gifts and wallets, gathered so that later events only add to it.

Gathering is associative and idempotent by number: gathered in one go or batch by batch, events come
to the same. Nothing is judged here: a transaction that was told of in two ways keeps both.
"""

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from soc.model.event import Batch, empty

READ = (
    *("seq", "ts", "ingested", "dataset", "wallet", "counterparty"),
    *("tx_hash", "project", "round", "amount", "raw"),
)
TOGETHER = 8
"""So many parts are joined at once: each by itself would copy all that came before it."""
SAID, MINED, REMOVED = "funding.donation", "chain.donation", "removed"


class Gathered(NamedTuple):
    """One row per transaction, and one per wallet that any event names.

    gifts: tx_id, and what the platform said and what the chain has: each a struct of wallet,
    project, round, amount, chain and token, with the number of the event that says it; announced,
    on_chain: when that happened; known, mined_known, removed and final: when events that say so
    came; ahead_us: how far one of them is from the future; is_torn: whether the chain told
    different wallets or amounts. wallets: first and last moment, and how many events.
    """

    gifts: pa.Table
    wallets: pa.Table


def gather(batch: Batch) -> Gathered:
    """Return what the events of *batch* say."""
    rows = batch.table.select(READ)
    return Gathered(ask(_GIFTS, events=rows), ask(_WALLETS, events=rows))


def collected(batches: Iterable[Batch], before: Gathered | None = None) -> Gathered:
    """Return what the events of *batches* say together with those that were gathered *before*."""
    parts = [before or gather(Batch(empty(), 0))]
    for batch in batches:
        parts.append(gather(batch))
        if len(parts) > TOGETHER:
            parts = [joined(*parts)]
    return joined(*parts)


def joined(*parts: Gathered) -> Gathered:
    """Return what disjoint sets of events say together; their order does not matter.

    Many are best joined at once: most transactions are told of in one of them alone, and are taken
    over as they are.
    """
    gifts = pa.concat_tables([part.gifts for part in parts])
    counted = gifts.select(["tx_id"]).group_by("tx_id").aggregate([([], "count_all")])
    twice = counted.filter(pc.greater(counted["count_all"], 1))["tx_id"]
    again = pc.is_in(gifts["tx_id"], twice)
    both = ask(_JOINED_GIFTS, gathered=gifts.filter(again)).cast(gifts.schema)
    every = pa.concat_tables([gifts, both])
    new = pa.array(np.ones(both.num_rows, dtype=bool))
    places = pc.indices_nonzero(pa.chunked_array([*pc.invert(again).chunks, new]))
    order = pc.sort_indices(every["tx_id"].take(places))
    wallets = pa.concat_tables([part.wallets for part in parts])
    return Gathered(every.take(places.take(order)), ask(_JOINED_WALLETS, gathered=wallets))


def ask(query: str, **tables: pa.Table) -> pa.Table:
    """Return what *query*, SQL on *tables*, finds; its rows are in the order that it asks for."""
    with _database().cursor() as connection:
        for name, table in tables.items():
            connection.register(name, table)
        return connection.sql(query).to_arrow_table()


@cache
def _database() -> duckdb.DuckDBPyConnection:
    database = duckdb.connect(
        config={
            "threads": 2,
            "memory_limit": "1GB",
            "allow_unsigned_extensions": False,
            "autoinstall_known_extensions": False,
        }
    )
    database.execute("SET GLOBAL TimeZone = 'UTC'")
    return database


def _field(path: str) -> str:
    """Return what an event has under *path*, as nested objects or as one dotted key."""
    nested = f"json_extract_string(raw, '$.{path}')"
    return f"coalesce({nested}, json_extract_string(raw, '$.\"{path}\"'))"


def _text(what: str) -> str:
    """Return what the chain must not tell in two ways, of the struct *what*."""
    text = f"coalesce({what}.wallet, '') || ' ' || coalesce({what}.amount, '')"
    return f"(CASE WHEN {what} IS NOT NULL THEN {text} END)"


_GIFTS = f"""
WITH told AS (
  SELECT lower(tx_hash) AS tx_id, seq, ts, ingested, dataset = '{SAID}' AS is_said,
    coalesce({_field("chain.finality")}, '') AS finality,
    greatest(epoch_us(ts) - epoch_us(ingested), 0) AS ahead_us,
    struct_pack(wallet := lower(wallet), project := project, round := round, amount := amount,
      chain := {_field("chain.id")}, token := {_field("funding.token.symbol")}) AS what
  FROM events WHERE dataset IN ('{SAID}', '{MINED}') AND tx_hash IS NOT NULL
), seen AS (
  SELECT *, {_text("what")} AS text, NOT is_said AND finality <> '{REMOVED}' AS is_mined,
    NOT is_said AND finality = '{REMOVED}' AS is_removed FROM told
)
SELECT tx_id,
  arg_max(what, seq) FILTER (is_said) AS said, max(seq) FILTER (is_said) AS said_seq,
  arg_max(what, seq) FILTER (is_mined) AS mined, max(seq) FILTER (is_mined) AS mined_seq,
  max(seq) FILTER (is_removed) AS removed_seq,
  min(ts) FILTER (is_said) AS announced, arg_max(ts, seq) FILTER (is_mined) AS on_chain,
  min(ingested) AS known, min(ingested) FILTER (is_mined) AS mined_known,
  max(ingested) FILTER (is_removed) AS removed, max(ahead_us) AS ahead_us,
  min(ingested) FILTER (finality = 'finalized') AS final,
  coalesce(min(text) FILTER (is_mined) <> max(text) FILTER (is_mined), false) AS is_torn
FROM seen GROUP BY tx_id ORDER BY tx_id
"""  # noqa: S608 - names of ours

_JOINED_GIFTS = f"""
SELECT tx_id, arg_max(said, said_seq) AS said, max(said_seq) AS said_seq,
  arg_max(mined, mined_seq) AS mined, max(mined_seq) AS mined_seq, max(removed_seq) AS removed_seq,
  min(announced) AS announced, arg_max(on_chain, mined_seq) AS on_chain, min(known) AS known,
  min(mined_known) AS mined_known, max(removed) AS removed, max(ahead_us) AS ahead_us,
  min(final) AS final,
  bool_or(is_torn) OR coalesce(min({_text("mined")}) <> max({_text("mined")}), false) AS is_torn
FROM gathered GROUP BY tx_id ORDER BY tx_id
"""  # noqa: S608 - names of ours

_WALLETS = """
SELECT wallet, min(moment) AS first, max(moment) AS last, count(*) AS events FROM (
  SELECT lower(wallet) AS wallet, least(ts, ingested) AS moment FROM events
  UNION ALL SELECT lower(counterparty), least(ts, ingested) FROM events
) WHERE wallet IS NOT NULL GROUP BY wallet ORDER BY wallet
"""

_JOINED_WALLETS = """
SELECT wallet, min(first) AS first, max(last) AS last, CAST(sum(events) AS BIGINT) AS events
FROM gathered GROUP BY wallet ORDER BY wallet
"""
