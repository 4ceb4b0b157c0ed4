"""Every feature: its name, unit and definition. What is not defined here cannot be built.

A definition speaks of a user's transactions made before the moment T, as they were known at T.
Where it has no answer, such as the finality of nothing, the value is missing and stays so.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Feature:
    """One column. unit: of its values. sql: an expression over one user's transactions."""

    name: str
    unit: str
    definition: str
    sql: str


DAY = "86400e6"
"""Microseconds."""

FEATURES = (
    Feature("total_amount", "token", "sum of amounts", "sum(amount)"),
    Feature("avg_amount", "token", "mean amount", "avg(amount)"),
    Feature("tx_count", "transactions", "how many were made", "CAST(count(*) AS DOUBLE)"),
    Feature(
        "amount_volatility",
        "token",
        "sample standard deviation of amounts; missing for fewer than two",
        "stddev_samp(amount)",
    ),
    Feature(
        "confirmation_rate",
        "share",
        "share that the chain had at T",
        "avg(CAST(is_confirmed AS DOUBLE))",
    ),
    Feature(
        "suspicious_ratio",
        "share",
        "share made while an alert about the wallet was going on, known and not cleared at T",
        "avg(CAST(is_suspicious AS DOUBLE))",
    ),
    Feature(
        "avg_finality",
        "s",
        "mean time from the block to when it was known to be final, of those final at T",
        "avg(final_s)",
    ),
    Feature(
        "unique_projects",
        "projects",
        "different projects",
        "CAST(count(DISTINCT project) AS DOUBLE)",
    ),
    Feature("unique_rounds", "rounds", "different rounds", "CAST(count(DISTINCT round) AS DOUBLE)"),
    Feature(
        "days_since_activity",
        "d",
        "time from the last transaction to T",
        f"(any_value(as_of) - max(made_us)) / {DAY}",
    ),
    Feature(
        "tx_per_day",
        "transactions/d",
        "transactions per day since the account was first seen; a first day counts whole",
        f"count(*) / greatest((any_value(as_of) - any_value(created_us)) / {DAY}, 1)",
    ),
    Feature(
        "tag_frequency",
        "share",
        "share of transactions that went to the project given to most often",
        "max(to_project) / count(*)",
    ),
    Feature(
        "event_lag",
        "s",
        "mean time from the announcement to the block, of those confirmed at T",
        "avg(lag_s)",
    ),
    Feature(
        "gap_median",
        "s",
        "median time between transactions that follow each other; missing for fewer than two",
        "median(gap_s)",
    ),
    Feature(
        "burst_share",
        "share",
        "share made within a minute after the one before",
        "avg(CAST(coalesce(gap_s <= 60, false) AS DOUBLE))",
    ),
    Feature(
        "hour_entropy",
        "bit",
        "entropy of the hours of the day (UTC) at which they were made",
        "entropy(made_us // 3600000000 % 24)",
    ),
    Feature(
        "project_degree",
        "donors",
        "mean number of donors, by T, of the projects given to",
        "avg(project_donors)",
    ),
    Feature(
        "rare_project_share",
        "share",
        "share that went to projects with at most five donors by T",
        "avg(CAST(project_donors <= 5 AS DOUBLE))",
    ),
    Feature(
        "round_phase",
        "share",
        "mean place in the round so far: 0 at its first transaction, 1 at its last by T",
        "avg(phase)",
    ),
    Feature(
        "amount_repeat",
        "share",
        "share whose amount the user gave before",
        "1 - CAST(count(DISTINCT amount) AS DOUBLE) / count(*)",
    ),
)
SEED = tuple(feature.name for feature in FEATURES[:10])
"""The ten of the sprint notebook."""
BY_NAME = {feature.name: feature for feature in FEATURES}
