"""Users and transactions as typed tables; what breaks a constraint is set aside with its reason."""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from soc.intelligence.view.gather import Gathered, ask
from soc.model.event import MOMENT

TOLERANCE = timedelta(minutes=5)
"""Clocks may differ by this much."""
AMOUNT = pa.decimal128(38, 0)
ADDRESS = "0x[0-9a-f]{40}"
AT_ONCE = 100_000
"""Transactions that are looked at in one go: more would take memory, and gain nothing."""

USERS = pa.schema(
    [
        pa.field("wallet", pa.string(), nullable=False),
        pa.field("created", MOMENT, nullable=False),
        pa.field("last", MOMENT, nullable=False),
        pa.field("events", pa.int64(), nullable=False),
    ]
)
"""created: when anything first named the wallet. last: when something last did."""

TRANSACTIONS = pa.schema(
    [
        pa.field("tx_id", pa.string(), nullable=False),
        pa.field("wallet", pa.string(), nullable=False),
        pa.field("project", pa.string(), nullable=False),
        pa.field("round", pa.string(), nullable=False),
        pa.field("amount", AMOUNT, nullable=False),
        pa.field("currency", pa.string(), nullable=False),
        pa.field("made", MOMENT, nullable=False),
        pa.field("known", MOMENT, nullable=False),
        pa.field("confirmed_at", MOMENT),
        pa.field("confirmed_known", MOMENT),
        pa.field("final_known", MOMENT),
        pa.field("removed_known", MOMENT),
    ]
)
"""amount: in the token's smallest unit. currency: chain and token, such as ``1:USDC``; where the
chain is not told it is the only one that the token is known on. made: when it was announced or
mined, whichever is first. confirmed_at: the time of its block. known, and what ends in known: when
an event came that says so; removed_known: that the chain took it back."""

REFUSED = pa.schema([("tx_id", pa.string()), ("reason", pa.string())])

CONSTRAINTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "wallet": (
            f"wallet IS NULL OR NOT regexp_full_match(wallet, '{ADDRESS}')",
            "its wallet is no address",
        ),
        "duplicate id": (
            "is_torn",
            "the chain told it with different wallets or amounts under one id",
        ),
        "amount": (
            "whole IS NULL OR whole < 0",
            "its amount is no whole number of at most 38 digits",
        ),
        "project": ("coalesce(project, '') = ''", "it names no project"),
        "clock skew": (
            f"ahead_us > {TOLERANCE // timedelta(microseconds=1)}",
            "it is from the future: it happened more than five minutes after it was taken in",
        ),
        "before its account": (
            "created IS NULL OR made < created - INTERVAL 5 MINUTE",
            "it was made before anything else named its wallet",
        ),
    }
)
"""By name: what breaks it, in SQL, and in words. The first that is broken is the reason."""


class Tables(NamedTuple):
    """What a view consists of; each in the order of its first column, which is unique."""

    users: pa.Table
    transactions: pa.Table
    refused: pa.Table


def settle(gathered: Gathered, at_once: int = AT_ONCE) -> Tables:
    """Return the tables that *gathered* comes to.

    Where the platform and the chain say different things, the chain is right; what the chain took
    back counts as announced alone.
    """
    chains = ask(_CHAINS, gifts=gathered.gifts)
    parts = [
        _told(gathered.gifts.slice(begin, at_once), gathered.wallets, chains)
        for begin in range(0, max(gathered.gifts.num_rows, 1), at_once)
    ]
    users = gathered.wallets.filter(
        pc.match_substring_regex(gathered.wallets["wallet"], f"^{ADDRESS}$")
    ).rename_columns(USERS.names)
    kept, refused = (pa.concat_tables(each) for each in zip(*parts, strict=True))
    return Tables(users.cast(USERS), kept, refused)


def _told(gifts: pa.Table, wallets: pa.Table, chains: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return the transactions of *gifts* that keep all constraints, and those set aside."""
    told = ask(_TOLD, gifts=gifts, wallets=wallets, chains=chains)
    kept = told.filter(pc.is_null(told["refused"])).rename_columns(
        ["tx_id", "wallet", "project", "round", "_", "amount", *told.column_names[6:]]
    )
    refused = told.filter(pc.is_valid(told["refused"])).select(["tx_id", "refused"])
    return (
        kept.select(TRANSACTIONS.names).cast(TRANSACTIONS),
        refused.rename_columns(REFUSED.names).cast(REFUSED),
    )


def reasons_of(tables: Tables) -> dict[str, int]:
    """Return how many transactions were set aside, by the constraint they break."""
    counted = tables.refused.group_by("reason").aggregate([("tx_id", "count")]).to_pylist()
    return {row["reason"]: row["tx_id_count"] for row in sorted(counted, key=lambda r: r["reason"])}


_CASES = " ".join(f"WHEN {broken} THEN '{name}'" for name, (broken, _) in CONSTRAINTS.items())

_TYPED = """
WITH told AS (
  SELECT tx_id, coalesce(mined_seq, -1) > coalesce(removed_seq, -1) AS is_mined,
    CASE WHEN is_mined OR said IS NULL THEN mined ELSE said END AS best, said, mined,
    on_chain AS confirmed_at, mined_known AS confirmed_known, final AS final_known,
    CASE WHEN NOT is_mined THEN removed END AS removed_known,
    least(announced, on_chain) AS made, known, ahead_us, is_torn
  FROM gifts WHERE is_mined OR said IS NOT NULL
), typed AS (
  SELECT tx_id, best.wallet AS wallet, coalesce(best.project, said.project) AS project,
    coalesce(best.round, said.round, '') AS round, best.amount AS amount,
    CASE WHEN regexp_full_match(best.amount, '[0-9]+')
      THEN TRY_CAST(best.amount AS DECIMAL(38, 0)) END AS whole,
    coalesce(best.chain, said.chain, mined.chain) AS chain,
    coalesce(best.token, said.token, '?') AS token,
    made, known, confirmed_at, confirmed_known, final_known, removed_known, ahead_us, is_torn
  FROM told
)
"""

_CHAINS = f"""
{_TYPED}
SELECT token, any_value(chain) AS sole FROM typed GROUP BY token HAVING count(DISTINCT chain) = 1
ORDER BY token
"""  # noqa: S608 - names of ours

_TOLD = f"""
{_TYPED}, dated AS (
  SELECT typed.*, coalesce(chain, sole, '?') || ':' || token AS currency, wallets.first AS created
  FROM typed LEFT JOIN wallets USING (wallet) LEFT JOIN chains USING (token)
)
SELECT tx_id, wallet, project, round, amount, whole, currency, made, known,
  confirmed_at, confirmed_known, final_known, removed_known,
  CASE {_CASES} END AS refused
FROM dated ORDER BY tx_id
"""  # noqa: S608 - names of ours
