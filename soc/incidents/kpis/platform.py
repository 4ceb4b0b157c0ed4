"""Rows about the platform: requests, wallets, gifts, transactions and how late events come."""

from datetime import timedelta

from sqlmodel import col, func, or_, select

from soc.incidents.kpis.rows import HOUR, MOST_ROWS, Rows, Sources, at, whole
from soc.incidents.lifecycle import CLEARED
from soc.model.value import moment_of
from soc.store.tables import Donation, Incident, IncidentEntity, Timing

BACKFILL = 24 * HOUR
"""An event that comes later than this after it happened is history, not lag."""
STATUS = (
    "coalesce(json_extract_string(raw, '$.http.response.status_code'), "
    "json_extract_string(raw, '$.\"http.response.status_code\"'))"
)
FINALITY = "json_extract_string(raw, '$.chain.finality')"
GIFTS = "('funding.donation', 'chain.donation')"


def lags(given: Sources) -> Rows:
    """Return, for each hour of intake and source, the events and the largest lag."""
    lag = "epoch_us(ingested) - epoch_us(ts)"
    return _fresh(
        given,
        f"SELECT epoch_us(ingested) // {HOUR} * {HOUR} AS hour_us, source, count(*) AS events, "  # noqa: S608 - numbers and names of ours
        f"count(*) FILTER ({lag} > {BACKFILL}) AS backfilled, "
        f"max({lag}) FILTER ({lag} <= {BACKFILL}) AS lag_us FROM events "
        f"WHERE {_during(given, 'ingested')} GROUP BY ALL ORDER BY ALL",
    )


def requests(given: Sources) -> Rows:
    """Return, for each hour, the answers of the platform and those that say it failed (5xx)."""
    return _fresh(
        given,
        f"SELECT epoch_us(ts) // {HOUR} * {HOUR} AS hour_us, count(*) AS requests, "  # noqa: S608 - as above
        f"count(*) FILTER (TRY_CAST({STATUS} AS INTEGER) >= 500) AS errors FROM events "
        f"WHERE dataset LIKE '%.access' AND TRY_CAST({STATUS} AS INTEGER) IS NOT NULL "
        f"AND {_during(given)} GROUP BY ALL ORDER BY ALL",
    )


def visitors(given: Sources) -> Rows:
    """Return the wallets that asked the platform for something, and whether they gave."""
    return _fresh(
        given,
        f"SELECT wallet, CAST(max(dataset IN {GIFTS}) AS INTEGER) AS gave FROM events "  # noqa: S608 - as above
        f"WHERE wallet IS NOT NULL AND (dataset = 'platform.access' OR dataset IN {GIFTS}) "
        f"AND {_during(given)} GROUP BY wallet HAVING max(dataset = 'platform.access') "
        f"ORDER BY wallet LIMIT {MOST_ROWS + 1}",
    )


def actors(given: Sources) -> Rows:
    """Return the wallets and accounts that did something on the platform, with their events."""
    return _fresh(
        given,
        "SELECT coalesce('wallet:' || wallet, 'account:' || user_name) AS actor, "  # noqa: S608 - as above
        "count(*) AS events FROM events "
        f"WHERE (dataset LIKE 'platform.%' OR dataset IN {GIFTS}) "
        f"AND (wallet IS NOT NULL OR user_name IS NOT NULL) AND {_during(given)} "
        f"GROUP BY actor ORDER BY actor LIMIT {MOST_ROWS + 1}",
    )


def transactions(given: Sources) -> Rows:
    """Return, for each hour, the transactions that were first seen on chain in it."""
    return _fresh(
        given,
        "SELECT hour_us, count(*) AS transactions FROM ("  # noqa: S608 - as above
        f"SELECT tx_hash, min(epoch_us(ts)) // {HOUR} * {HOUR} AS hour_us FROM events "
        f"WHERE dataset LIKE 'chain.%' AND tx_hash IS NOT NULL AND {_during(given)} "
        "GROUP BY tx_hash) GROUP BY ALL ORDER BY ALL",
    )


def finality(given: Sources) -> Rows:
    """Return how long gifts took from their block to being reported final, in milliseconds."""
    return _fresh(
        given,
        "SELECT took_ms, count(*) AS gifts FROM ("  # noqa: S608 - as above
        "SELECT tx_hash, (min(epoch_us(ingested)) - min(epoch_us(ts))) // 1000 AS took_ms "
        f"FROM events WHERE dataset = 'chain.donation' AND {FINALITY} = 'finalized' "
        f"AND tx_hash IS NOT NULL AND {_during(given)} GROUP BY tx_hash) "
        f"GROUP BY ALL ORDER BY ALL LIMIT {MOST_ROWS + 1}",
    )


def gifts(given: Sources) -> Rows:
    """Return the gifts that were announced in the window, and when they came on chain.

    Those of the last minutes may still come: they are left out.
    """
    settled = given.until - given.settings.detect.lateness
    query = (
        select(Donation)
        .where(col(Donation.announced) >= given.since, col(Donation.announced) < settled)
        .order_by(col(Donation.tx_hash))
        .limit(MOST_ROWS + 1)
    )
    found = given.session.exec(query).all()
    return whole(
        [
            {
                "tx_hash": row.tx_hash,
                "announced_us": at(row.announced),
                "on_chain_us": at(row.on_chain),
            }
            for row in found
        ],
        max((row.announced for row in found if row.announced), default=None),
    )


def given_on_chain(given: Sources) -> Rows:
    """Return the gifts that came on chain in the window, and whether their wallet is suspected."""
    query = (
        select(Donation)
        .where(col(Donation.on_chain) >= given.since, col(Donation.on_chain) < given.until)
        .order_by(col(Donation.tx_hash))
        .limit(MOST_ROWS + 1)
    )
    found = given.session.exec(query).all()
    suspects = _suspects(given)
    return whole(
        [
            {
                "tx_hash": row.tx_hash,
                "wallet": row.wallet,
                "amount": row.amount,
                "on_chain_us": at(row.on_chain),
                "suspicious": int(row.wallet in suspects),
            }
            for row in found
        ],
        max((row.on_chain for row in found if row.on_chain), default=None),
    )


def donors(given: Sources) -> Rows:
    """Return what each wallet gave on chain in the window, and whether that is of high value."""
    limit = given.settings.incidents.kpis.high_value
    if limit is None:
        return Rows(
            reason="write incidents.kpis.high_value, an amount in the smallest unit: a quantile of "
            "the same gifts would be true by construction"
        )
    found = given_on_chain(given)
    sums: dict[str, int] = {}
    for row in found.rows:
        sums[row["wallet"]] = sums.get(row["wallet"], 0) + int(row["amount"])
    rows = [
        {"wallet": wallet, "amount": str(amount), "high_value": int(amount >= limit)}
        for wallet, amount in sorted(sums.items())
    ]
    return Rows(tuple(rows), found.reason, found.fresh)


def timings(given: Sources) -> Rows:
    """Return how many windows of events each detector judged in how many milliseconds."""
    query = (
        select(Timing.detector, Timing.took_ms, func.sum(Timing.windows), func.max(Timing.hour))
        .where(col(Timing.hour) > given.since - timedelta(hours=1), col(Timing.hour) < given.until)
        .group_by(col(Timing.detector), col(Timing.took_ms))
        .order_by(col(Timing.detector), col(Timing.took_ms))
        .limit(MOST_ROWS + 1)
    )
    found = given.session.exec(query).all()
    rows = [{"detector": name, "took_ms": ms, "windows": int(n)} for name, ms, n, _ in found]
    return whole(rows, max((hour for *_, hour in found), default=None))


def _suspects(given: Sources) -> set[str]:
    """Return the wallets that a security incident names, but one that was found to be nothing."""
    query = (
        select(IncidentEntity.entity)
        .join(Incident, col(Incident.id) == col(IncidentEntity.incident))
        .where(
            col(IncidentEntity.entity).startswith("wallet:"),
            col(IncidentEntity.ignored).is_(False),
            col(Incident.operations).is_(False),
            col(Incident.monitor).is_(False),
            or_(col(Incident.verdict).is_(None), col(Incident.verdict).not_in(CLEARED)),
        )
    )
    return {entity.removeprefix("wallet:") for entity in given.session.exec(query.distinct())}


def _during(given: Sources, clock: str = "ts") -> str:
    """Return the condition of the window; its coarse half lets whole segments be passed over."""
    since, until = given.within
    coarse = f"{clock} >= to_timestamp({since // 1_000_000 - 1}) AND "
    coarse += f"{clock} <= to_timestamp({until // 1_000_000 + 1})"
    return f"{coarse} AND epoch_us({clock}) >= {since} AND epoch_us({clock}) < {until}"


def _fresh(given: Sources, query: str) -> Rows:
    """Return what *query* finds, as fresh as the newest event that was taken in."""
    found = given.ask(query)
    if found.reason:
        return found
    newest = given.ask("SELECT max(epoch_us(ingested)) AS at FROM events").rows
    fresh = newest[0]["at"] if newest else None
    return Rows(found.rows, fresh=None if fresh is None else moment_of(fresh))
