"""Every figure: what it says, of which rows, by which query, and from when on it is bad.

A query is SQLite's SQL over the exported rows, as a table called ``rows``: whoever runs it finds
the value. Quantiles are nearest-rank ones.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from soc.incidents.kpis import figures, platform, work
from soc.incidents.kpis.figures import Make
from soc.incidents.kpis.rows import Rows, Sources


class Unit(StrEnum):
    """What a value is counted in. share: 0 to 1. per_hour: within an hour of the clock."""

    SECONDS = "seconds"
    MILLISECONDS = "milliseconds"
    SHARE = "share"
    NUMBER = "number"
    PER_HOUR = "per_hour"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kpi:
    """One figure. levels: the setting below ``incidents.kpis`` that says when it is bad."""

    slug: str
    title: str
    unit: Unit
    definition: str
    source: Callable[[Sources], Rows]
    make: Make
    query: str
    levels: str = ""


def _median(start: str, end: str) -> str:
    return (
        "SELECT v FROM (SELECT v, row_number() OVER (ORDER BY v) AS i, count(*) OVER () AS n "  # noqa: S608 - names of ours
        f"FROM (SELECT ({end} - {start}) / 1000000.0 AS v FROM rows "
        f"WHERE {start} IS NOT NULL AND {end} IS NOT NULL)) WHERE i = (n + 1) / 2"
    )


def _percentile(column: str, count: str, percent: int, scale: str) -> str:
    return (
        f"SELECT {column} / {scale} FROM (SELECT {column}, "  # noqa: S608 - as above
        f"sum({count}) OVER (ORDER BY {column} RANGE UNBOUNDED PRECEDING) AS upto, "
        f"sum({count}) OVER () AS n FROM rows) WHERE upto >= ({percent} * n + 99) / 100 "
        f"ORDER BY {column} LIMIT 1"
    )


def _clock(slug: str, title: str, start: str, end: str, definition: str) -> Kpi:
    return Kpi(
        slug=slug,
        title=title,
        unit=Unit.SECONDS,
        definition=f"{definition} The value is the median; mean and P90 stand beside it.",
        source=work.incidents,
        make=figures.duration(start, end),
        query=_median(start, end),
    )


INCIDENTS = (
    _clock(
        "mttd",
        "Time to detect",
        "occurred_us",
        "detected_us",
        "From the first causing event, by its own time, to the incident, of incidents made in the "
        "window.",
    ),
    _clock(
        "mttd-ingest",
        "Ingest lag of detection",
        "occurred_us",
        "ingested_us",
        "The part of the time to detect before the first causing event was taken in: the lag of "
        "sources and chains. Incidents whose first event is no longer stored do not count.",
    ),
    _clock(
        "mttd-detection",
        "Detection lag",
        "ingested_us",
        "detected_us",
        "The part of the time to detect after the first causing event was taken in: the lag of "
        "windows and rules, which often need more events than the first.",
    ),
    _clock(
        "mtta",
        "Time to acknowledge",
        "detected_us",
        "acknowledged_us",
        "From the incident to the first act of a person on it. Incidents that nobody acted on do "
        "not count: see the backlog.",
    ),
    _clock(
        "mttc",
        "Time to contain",
        "detected_us",
        "contained_us",
        "From the incident to its first effect that was verified, that is obeyed by every live "
        "edge; asked for is not contained.",
    ),
    _clock(
        "mttr",
        "Time to resolve",
        "occurred_us",
        "resolved_us",
        "From the first causing event to when the incident last came to rest. It is counted from "
        "the event, not from detection.",
    ),
    Kpi(
        slug="precision",
        title="Precision",
        unit=Unit.SHARE,
        definition="True positives among true and false positives, of incidents closed in the "
        "window; the same for each rule that has an alert in them. Benign positives count for "
        "neither.",
        source=work.verdicts,
        make=figures.precision,
        query="SELECT avg(v) FROM (SELECT incident, max(verdict = 'true_positive') * 1.0 AS v "
        "FROM rows WHERE verdict IN ('true_positive', 'false_positive') GROUP BY incident)",
    ),
    Kpi(
        slug="false-positive-rate",
        title="False positives",
        unit=Unit.SHARE,
        definition="False positives among all incidents that were closed in the window as true, "
        "benign or false positive. What never became an incident is not known, so this is no rate "
        "among harmless events.",
        source=work.decided,
        make=figures.share(
            lambda row: row["verdict"] == "false_positive", "no incident was decided in the window"
        ),
        query="SELECT avg(verdict = 'false_positive') FROM rows",
    ),
    Kpi(
        slug="backlog",
        title="Backlog",
        unit=Unit.NUMBER,
        definition="Incidents that are open now, whenever they were made.",
        source=work.backlog,
        make=figures.count,
        query="SELECT count(*) FROM rows",
    ),
    Kpi(
        slug="automation-rate",
        title="Automation",
        unit=Unit.SHARE,
        definition="Incidents made in the window that a playbook answered to its end, started by "
        "the suite, without any person's vote.",
        source=work.answers,
        make=figures.share(lambda row: row["automated"], "no incident was made in the window"),
        query="SELECT avg(automated) FROM rows",
    ),
    Kpi(
        slug="source-gaps",
        title="Source gaps",
        unit=Unit.NUMBER,
        definition="Alerts of the window about sources that fell silent or whose events are "
        "missing. Only sources that are expected to send can fall silent.",
        source=work.source_gaps,
        make=figures.count,
        query="SELECT count(*) FROM rows",
    ),
    Kpi(
        slug="detector-gaps",
        title="Detector gaps",
        unit=Unit.NUMBER,
        definition="Alerts of the window about detectors and rules that could not judge: what they "
        "watch was not watched.",
        source=work.detector_gaps,
        make=figures.count,
        query="SELECT count(*) FROM rows",
    ),
)
PLATFORM = (
    Kpi(
        slug="conversion-rate",
        title="Conversion",
        unit=Unit.SHARE,
        definition="Wallets that gave, among wallets that asked the platform for anything in the "
        "window.",
        source=platform.visitors,
        make=figures.share(lambda row: row["gave"], "no wallet asked the platform for anything"),
        query="SELECT avg(gave) FROM rows",
    ),
    Kpi(
        slug="transaction-success",
        title="Transaction success",
        unit=Unit.SHARE,
        definition="Gifts that are on chain, among those that the platform announced in the "
        "window; those announced within the lateness of detection before its end may still "
        "come and do not count.",
        source=platform.gifts,
        make=figures.share(
            lambda row: row["on_chain_us"] is not None, "no gift was announced in the window"
        ),
        query="SELECT avg(on_chain_us IS NOT NULL) FROM rows",
    ),
    Kpi(
        slug="average-finality",
        title="Finality",
        unit=Unit.SECONDS,
        definition="From the block of a gift to the intake of the first event that calls it "
        "finalized. The value is the median; the mean and P90 stand beside it.",
        source=platform.finality,
        make=figures.quantile("took_ms", "gifts", 50, "no gift was called finalized", 1_000.0),
        query=_percentile("took_ms", "gifts", 50, "1000.0"),
    ),
    Kpi(
        slug="suspicious-rate",
        title="Suspicious gifts",
        unit=Unit.SHARE,
        definition="Gifts that came on chain in the window from a wallet that a security incident "
        "names, unless that was closed as no true positive. It says what is suspected, not what is "
        "true.",
        source=platform.given_on_chain,
        make=figures.share(lambda row: row["suspicious"], "no gift came on chain in the window"),
        query="SELECT avg(suspicious) FROM rows",
    ),
    Kpi(
        slug="suspicious-per-hour",
        title="Suspicious findings, busiest hour",
        unit=Unit.PER_HOUR,
        definition="Security alerts made in the busiest hour of the clock within the window.",
        source=work.suspicious,
        make=figures.largest("alerts", "alerts", "no detector has looked at any event"),
        query="SELECT coalesce(max(alerts), 0) FROM rows",
        levels="suspicious_per_hour",
    ),
    Kpi(
        slug="inference-latency-p95",
        title="Inference latency, P95",
        unit=Unit.MILLISECONDS,
        definition="How long a detector takes to judge one window of events, whatever its size, "
        "at the 95th percentile; Sigma rules are one detector. Milliseconds from 100 on are kept "
        "to two digits.",
        source=platform.timings,
        make=figures.quantile("took_ms", "windows", 95, "no detector judged any event"),
        query=_percentile("took_ms", "windows", 95, "1.0"),
        levels="inference_p95",
    ),
    Kpi(
        slug="event-lag-max",
        title="Event lag, largest",
        unit=Unit.SECONDS,
        definition="From an event to its intake, the largest of events taken in within the window. "
        "What is more than a day late is history that was loaded, and does not count.",
        source=platform.lags,
        make=figures.largest("lag_us", "events", "no event was taken in", 1_000_000.0),
        query="SELECT max(lag_us) / 1000000.0 FROM rows",
        levels="event_lag",
    ),
    Kpi(
        slug="api-error-rate",
        title="API errors",
        unit=Unit.SHARE,
        definition="Answers of the platform with status 500 and above, among all answers, by "
        "events of datasets that end in .access. Refusals (4xx, limits among them) are no "
        "errors.",
        source=platform.requests,
        make=figures.share(lambda row: row["errors"], "no request was logged", "requests"),
        query="SELECT sum(errors) * 1.0 / sum(requests) FROM rows",
        levels="api_errors",
    ),
    Kpi(
        slug="active-users",
        title="Active users",
        unit=Unit.NUMBER,
        definition="Wallets, and accounts without a wallet, that did something on the platform in "
        "the window. Wallets are no people: one may have many.",
        source=platform.actors,
        make=figures.counted("no event of the platform names a wallet or an account"),
        query="SELECT count(*) FROM rows",
    ),
    Kpi(
        slug="total-transactions",
        title="Transactions",
        unit=Unit.NUMBER,
        definition="Transactions first seen on chain in the window, gifts and transfers; one that "
        "the chain took back later was seen.",
        source=platform.transactions,
        make=figures.total("transactions", "no transaction was seen on chain"),
        query="SELECT sum(transactions) FROM rows",
    ),
    Kpi(
        slug="high-value-share",
        title="High-value donors",
        unit=Unit.SHARE,
        definition="Wallets whose gifts on chain in the window come to incidents.kpis.high_value "
        "or more, among all that gave.",
        source=platform.donors,
        make=figures.share(lambda row: row["high_value"], "no gift came on chain in the window"),
        query="SELECT avg(high_value) FROM rows",
    ),
)
ALL = (*INCIDENTS, *PLATFORM)
BY_SLUG = {kpi.slug: kpi for kpi in ALL}
