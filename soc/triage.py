"""What a site decides about incidents: when there is one, by when, and what makes it worse."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from soc.content.kinds import Duration
from soc.model.calendar import Calendar
from soc.model.value import Severity, Slug, Value

LONGEST_PROMISE = timedelta(days=365)


Share = Annotated[float, Field(gt=0, le=1)]


class Money(Value):
    """Money at risk: what the wallets of an incident move in the matching of a round.

    high, critical: the share of the pool from which an open incident is at least so severe.
    pair_bound: the M of pairwise-bounded quadratic funding, in the token's smallest unit; without
    it, matching is plain quadratic funding. again: after how long an open incident is looked at
    anew, changed or not: gifts go on.
    """

    high: Share = 0.01
    critical: Share = 0.05
    pair_bound: Annotated[int, Field(ge=1, le=10**77)] | None = None
    again: Duration = timedelta(minutes=15)

    @model_validator(mode="after")
    def _must_rise(self) -> Self:
        if self.high > self.critical:
            raise ValueError("write a share for critical that is not below the one for high")
        return self


def _rise(levels: tuple[float, float, float]) -> tuple[float, float, float]:
    if list(levels) != sorted(levels):
        raise ValueError("write three numbers that do not fall: good up to, warning, critical")
    return levels


Levels = Annotated[
    tuple[
        Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]
    ],
    AfterValidator(_rise),
]


class Kpis(Value):
    """When a figure is worth a finding: good up to the first number, warning and critical from on.

    event_lag: seconds. api_errors: a share. inference_p95: milliseconds. suspicious_per_hour:
    security alerts within an hour of the clock. high_value: what a donor gives at least, in the
    token's smallest unit, to be one of high value; without it nobody is.
    """

    event_lag: Levels = (5.0, 30.0, 60.0)
    api_errors: Levels = (0.001, 0.01, 0.02)
    inference_p95: Levels = (200.0, 500.0, 1_000.0)
    suspicious_per_hour: Levels = (0.0, 5.0, 10.0)
    high_value: Annotated[int, Field(ge=1)] | None = None


class Promise(Value):
    """How soon an incident is acknowledged and resolved; None where nothing is promised."""

    acknowledge: Duration | None = None
    resolve: Duration | None = None

    @field_validator("acknowledge", "resolve")
    @classmethod
    def _must_be_bounded(cls, span: timedelta | None) -> timedelta | None:
        if span is not None and span > LONGEST_PROMISE:
            raise ValueError(f"write at most {LONGEST_PROMISE.days}d")
        return span


class Incidents(Value):
    """When alerts become incidents.

    open_from: an alert below this joins an incident but opens none. join_within: how long after
    its last change an open incident takes further alerts. reopen_within: how long after it came to
    rest an incident is taken up again by what it was about, unless that was found harmless; after
    that, a new one says which came before. storm_after: incidents that one rule opens within
    storm_within; what it finds beyond them shares one. sla: per severity, by when an incident is
    acknowledged and resolved; a severity that is not named has no clock. calendar: when these
    clocks run. chains: rules whose alerts belong together whoever they name,
    such as the steps of one attack. roles: per label of a wallet, account or address, how severe an
    incident is at least that names it. money: what moves a round's money. kpis: when a figure is
    worth a finding.
    """

    open_from: Severity = Severity.MEDIUM
    join_within: Duration = timedelta(hours=24)
    reopen_within: Duration = timedelta(0)
    chains: tuple[tuple[Slug, ...], ...] = ()
    roles: Mapping[str, Severity] = {}
    money: Money = Money()
    kpis: Kpis = Kpis()
    storm_after: Annotated[int, Field(ge=1)] = 25
    storm_within: Duration = timedelta(minutes=10)
    sla: Mapping[Severity, Promise] = {
        Severity.CRITICAL: Promise(acknowledge=timedelta(minutes=15), resolve=timedelta(hours=4)),
        Severity.HIGH: Promise(acknowledge=timedelta(hours=1), resolve=timedelta(hours=24)),
        Severity.MEDIUM: Promise(acknowledge=timedelta(hours=8), resolve=timedelta(days=3)),
        Severity.LOW: Promise(acknowledge=timedelta(days=1), resolve=timedelta(days=7)),
    }
    calendar: Calendar = Calendar()
