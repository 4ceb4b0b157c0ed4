"""Build the features of every user as of a moment: no later row can change them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
from pyarrow.csv import write_csv
from pyarrow.parquet import write_table

from soc.content.digest import digest_of
from soc.errors import Refused, Unfit
from soc.intelligence.features.definitions import FEATURES, Feature
from soc.intelligence.view.gather import ask
from soc.intelligence.view.keep import View
from soc.model.value import micros

AT_ONCE = 10_000
"""Users that are described in one go: memory is that of some."""
ACTIVE_FOR = timedelta(days=30)
"""A user who did something within this time is active."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One row per user with a transaction before *as_of*, by wallet.

    table: wallet, created, status (active, inactive, flagged), is_suspicious, last_made, then the
    features as float64, null where there is no answer. schema: changes with any definition. fresh:
    when the newest transaction that counts was made.
    """

    as_of: datetime
    currency: str
    table: pa.Table
    features: tuple[Feature, ...]
    schema: str
    fresh: datetime

    @property
    def names(self) -> list[str]:
        """The names of the features, in order."""
        return [feature.name for feature in self.features]


def build(
    view: View,
    as_of: datetime,
    currency: str | None = None,
    features: Sequence[Feature] = FEATURES,
    decimals: int = 0,
    at_once: int = AT_ONCE,
) -> Frame:
    """Return *features* of every user as of *as_of*, in tokens of 10**decimals smallest units.

    Raises Unfit if nothing was made by then, or if amounts are in several currencies and none is
    chosen: their sum would mean nothing.
    """
    chosen = currency or _only_currency(view, as_of)
    moment = micros(as_of)
    rows = pa.concat_tables(
        [
            _asked(view, _built(features, moment, chosen, decimals, among))
            for among in _parts(view, at_once)
        ]
    )
    if not rows.num_rows:
        raise Unfit(f"no transaction in {chosen} was made before {as_of:%Y-%m-%dT%H:%M:%SZ}")
    fresh = max(rows["last_made"].to_pylist())
    digest = digest_of({f.name: [f.unit, f.definition, f.sql] for f in features})
    return Frame(as_of, chosen, rows, tuple(features), digest, fresh)


def write(frame: Frame, path: Path) -> None:
    """Put the table of *frame* into a file; its name says whether as CSV or Parquet."""
    put(frame.table, path)


def put(table: pa.Table, path: Path) -> None:
    """Put *table* into a file; its name says whether as CSV or Parquet."""
    if path.suffix == ".csv":
        write_csv(table, path)
    elif path.suffix == ".parquet":
        write_table(table, path)
    else:
        raise Refused(f"{path}: name a file that ends in .csv or .parquet")


def currencies(view: View, as_of: datetime) -> dict[str, int]:
    """Return how many transactions before *as_of* there are in each currency."""
    query = (
        "SELECT currency, count(*) AS n FROM transactions "  # noqa: S608 - a number
        f"WHERE epoch_us(known) < {micros(as_of)} GROUP BY currency ORDER BY currency"
    )
    found = ask(query, transactions=view.transactions).to_pylist()
    return {row["currency"]: row["n"] for row in found}


def _only_currency(view: View, as_of: datetime) -> str:
    known = currencies(view, as_of)
    if len(known) > 1:
        listed = ", ".join(f"{name} ({count:,})" for name, count in known.items())
        raise Unfit(f"amounts are in {len(known)} currencies: {listed}: choose one with --currency")
    return next(iter(known), "any currency")


def transactions(view: View, frame: Frame, decimals: int = 0) -> pa.Table:
    """Return the transactions that *frame* describes users by, as they were known then, in order.

    Columns: made_us, amount in tokens, wallet, project, round, is_confirmed, is_suspicious, final_s
    and lag_s, null where there is no answer.
    """
    query = f"""
    WITH {_known(micros(frame.as_of), frame.currency, decimals)}
    SELECT made_us, amount, wallet, project, round, is_confirmed, is_suspicious, final_s, lag_s
    FROM rows ORDER BY made_us, tx_id
    """  # noqa: S608 - as below
    return _asked(view, query)


def _asked(view: View, query: str) -> pa.Table:
    return ask(query, transactions=view.transactions, users=view.users, marks=view.marks)


def _parts(view: View, at_once: int) -> list[str]:
    """Return conditions that hold for some users each, in order; wallets are hexadecimal."""
    begins = view.users["wallet"].to_pylist()[::at_once]
    return [
        f"AND wallet >= '{low}'" + (f" AND wallet < '{high}'" if high else "")
        for low, high in pairwise(["", *begins[1:], ""])
    ]


def _built(
    features: Sequence[Feature], moment: int, currency: str, decimals: int, among: str
) -> str:
    columns = ", ".join(
        f'CAST({feature.sql} AS DOUBLE) AS "{feature.name}"' for feature in features
    )
    return f"""
WITH {_known(moment, currency, decimals, among)}, built AS (
  SELECT wallet, max(made_us) AS last_us, {columns} FROM rows GROUP BY wallet
)
SELECT wallet, created, CASE WHEN suspects.wallet IS NOT NULL THEN 'flagged'
    WHEN last_us >= {moment - micros_of(ACTIVE_FOR)} THEN 'active' ELSE 'inactive' END AS status,
  suspects.wallet IS NOT NULL AS is_suspicious, make_timestamptz(last_us) AS last_made,
  built.* EXCLUDE (wallet, last_us)
FROM built JOIN users USING (wallet) LEFT JOIN suspects USING (wallet) ORDER BY wallet
"""  # noqa: S608 - expressions of ours, numbers, and a quoted name


def _known(moment: int, currency: str, decimals: int, among: str = "") -> str:
    """Return the tables, in SQL, of what was known at *moment*: ``rows`` is one per transaction.

    among: a condition that leaves only some users in ``rows``.
    """
    quoted = currency.replace("'", "''")
    known = f"""FROM transactions
  WHERE epoch_us(made) < {moment} AND epoch_us(known) < {moment} AND currency = '{quoted}'"""
    return f"""past AS (
  SELECT tx_id, wallet, project, round, CAST(amount AS DOUBLE) / 1e{decimals} AS amount,
    epoch_us(made) AS made_us, epoch_us(confirmed_at) AS confirmed_us,
    epoch_us(final_known) AS final_us,
    coalesce(epoch_us(confirmed_known) < {moment}, false)
      AND coalesce(epoch_us(removed_known) >= {moment}, true) AS is_confirmed
  {known} {among}
), suspected AS (
  SELECT wallet, epoch_us(first) AS first_us, epoch_us(last) AS last_us FROM marks
  WHERE epoch_us(known) < {moment} AND (cleared IS NULL OR epoch_us(cleared) >= {moment})
), suspects AS (SELECT DISTINCT wallet FROM suspected
), hit AS (
  SELECT DISTINCT tx_id FROM past JOIN suspected USING (wallet)
  WHERE made_us >= first_us AND made_us <= last_us
), donors AS (
  SELECT project, CAST(count(DISTINCT wallet) AS DOUBLE) AS project_donors
  {known} GROUP BY project
), spans AS (
  SELECT round, epoch_us(min(made)) AS begin_us, epoch_us(max(made)) AS end_us
  {known} GROUP BY round
), rows AS (
  SELECT past.*, {moment} AS as_of, epoch_us(users.created) AS created_us,
    hit.tx_id IS NOT NULL AS is_suspicious,
    CASE WHEN is_confirmed AND final_us < {moment} THEN (final_us - confirmed_us) / 1e6 END
      AS final_s,
    CASE WHEN is_confirmed THEN greatest(confirmed_us - made_us, 0) / 1e6 END AS lag_s,
    (made_us - lag(made_us) OVER (PARTITION BY wallet ORDER BY made_us, tx_id)) / 1e6 AS gap_s,
    count(*) OVER (PARTITION BY wallet, project) AS to_project, project_donors,
    coalesce((made_us - begin_us) / nullif(CAST(end_us - begin_us AS DOUBLE), 0), 0) AS phase
  FROM past JOIN users USING (wallet) JOIN donors USING (project) JOIN spans USING (round)
  LEFT JOIN hit USING (tx_id)
)
"""  # noqa: S608 - as above


def micros_of(span: timedelta) -> int:
    """Return *span* in microseconds."""
    return span // timedelta(microseconds=1)
