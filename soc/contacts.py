"""Whom a site reaches, by which channels, and who is on call."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from soc.content.document import did_you_mean
from soc.content.kinds import Duration
from soc.inputs import known_zone
from soc.model.value import Slug, Value

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SCHEMES = frozenset(
    (
        "discord",
        "gchat",
        "gotify",
        "gotifys",
        "json",
        "jsons",
        "mailto",
        "mailtos",
        "matrix",
        "matrixs",
        "mmost",
        "mmosts",
        "ntfy",
        "ntfys",
        "opsgenie",
        "pagerduty",
        "pover",
        "rocket",
        "rockets",
        "signal",
        "signals",
        "slack",
        "tgram",
        "workflow",
        "workflows",
    )
)
"""What Apprise may be asked to do: reach people over a network, never this machine."""
FIRST_MONDAY = date(2024, 1, 1)
WEEK = timedelta(weeks=1)
ALIAS = "channel:"

Person = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,127}$")]
PersonTarget = Annotated[str, Field(pattern=r"^user:[A-Za-z0-9][A-Za-z0-9._@-]{0,127}$")]
Member = Annotated[str, Field(pattern=r"^(user|channel):[A-Za-z0-9][A-Za-z0-9._@-]{0,127}$")]


def _moment_of_week(text: str) -> str:
    if not re.fullmatch(rf"({'|'.join(DAYS)}) ([01][0-9]|2[0-3]):[0-5][0-9]", text):
        raise ValueError("write a day and a time of it, such as mon 09:00")
    return text


class Handover(Value):
    """When somebody takes over. at: such as ``mon 09:00``. who: in turn, a week each."""

    at: Annotated[str, AfterValidator(_moment_of_week)]
    who: Annotated[tuple[PersonTarget, ...], Field(min_length=1)]

    @property
    def place(self) -> tuple[int, time]:
        """Return its weekday and its time of day."""
        return DAYS.index(self.at[:3]), time.fromisoformat(self.at[4:])


class Rota(Value):
    """Who of a role is on call: who took over last.

    zone: of the handovers' times, through summer and winter. since: in whose week the first of
    those who take turns begins.
    """

    zone: Annotated[str, AfterValidator(known_zone)]
    handovers: Annotated[tuple[Handover, ...], Field(min_length=1)]
    since: date = FIRST_MONDAY

    @field_validator("handovers")
    @classmethod
    def _must_differ(cls, handovers: tuple[Handover, ...]) -> tuple[Handover, ...]:
        moments = [one.at for one in handovers]
        if twice := [moment for moment in moments if moments.count(moment) > 1]:
            raise ValueError(f"two take over at {twice[0]}")
        return handovers

    def on_call(self, now: datetime) -> str:
        """Return who is on call at *now*, as ``user:NAME``."""
        zone = ZoneInfo(self.zone)
        monday = _monday(now.astimezone(zone).date())
        begun = [
            (_moment(week, one, zone), one.place, week, one.who)
            for week in (monday - WEEK, monday)
            for one in self.handovers
            if _moment(week, one, zone) <= now
        ]
        _, _, week, who = max(begun, key=lambda one: one[:3])
        return who[(week - _monday(self.since)) // WEEK % len(who)]


class Contacts(Value):
    """Whom messages reach. Without any, they lie in the home's ``outbox`` alone.

    channels: each an Apprise URL, which is never shown, or ``channel:NAME`` of another. people:
    the channels of each. roles: people and channels of each. rotas: per role, who is on call.
    per_hour: messages that a channel is sent at most, and as many again that are urgent; the rest
    is told in one message, digest_after the first of them. timeout: seconds for one message.
    """

    channels: Mapping[Slug, SecretStr] = {}
    people: Mapping[Person, tuple[Member, ...]] = {}
    roles: Mapping[Slug, Annotated[tuple[Member, ...], Field(min_length=1)]] = {}
    rotas: Mapping[Slug, Rota] = {}
    per_hour: Annotated[int, Field(ge=1, le=3_600)] = 30
    digest_after: Duration = timedelta(minutes=10)
    timeout: Annotated[float, Field(gt=0, le=20)] = 10.0

    @field_validator("channels")
    @classmethod
    def _must_be_allowed(cls, channels: Mapping[str, SecretStr]) -> Mapping[str, SecretStr]:
        for name, kept in channels.items():
            url = kept.get_secret_value()
            scheme, mark, _ = url.partition("://")
            if url.startswith(ALIAS):
                other = channels.get(url.removeprefix(ALIAS))
                if other is None or other.get_secret_value().startswith(ALIAS):
                    raise ValueError(f"channels.{name}: {ALIAS}… names a channel that has a URL")
            elif not mark or scheme.lower() not in SCHEMES:
                known = ", ".join(sorted(SCHEMES))
                raise ValueError(f"channels.{name}: write an Apprise URL, of one of {known}")
        return channels

    @model_validator(mode="after")
    def _must_lead_somewhere(self) -> Self:
        for place, target in self._used():
            if not self.knows(target):
                raise ValueError(f"{place}: no {target}: {did_you_mean(target, self.targets)}")
        if not self.is_empty and "approver" not in self.roles:
            raise ValueError("roles: approver is missing: approvals are asked of role:approver")
        return self

    def _used(self) -> Iterator[tuple[str, str]]:
        for name, targets in self.people.items():
            yield from ((f"people.{name}", target) for target in targets)
            if users := [target for target in targets if target.startswith("user:")]:
                raise ValueError(f"people.{name}: {users[0]}: write channels")
        for name, targets in self.roles.items():
            yield from ((f"roles.{name}", target) for target in targets)
        for name, rota in self.rotas.items():
            yield f"rotas.{name}", f"role:{name}"
            yield from ((f"rotas.{name}", who) for one in rota.handovers for who in one.who)

    @property
    def is_empty(self) -> bool:
        """Return whether nothing but the outbox is there."""
        return not (self.channels or self.people or self.roles)

    @property
    def targets(self) -> list[str]:
        """Return all that a message can be sent to, sorted."""
        kinds = {"channel": self.channels, "role": self.roles, "user": self.people}
        return sorted(f"{kind}:{name}" for kind, names in kinds.items() for name in names)

    def knows(self, target: str) -> bool:
        """Return whether *target* leads somewhere; the outbox alone takes everything."""
        return self.is_empty or re.sub("^oncall:", "role:", target) in self.targets

    def ways(self, target: str, now: datetime) -> tuple[str, ...]:
        """Return the channels of *target*, sorted; none for what nobody knows.

        ``oncall:ROLE`` is who of the role is on call, or all of it where it has no rota.
        """
        return tuple(sorted(self._ways(target, now)))

    def _ways(self, target: str, now: datetime) -> set[str]:
        kind, _, name = target.partition(":")
        if kind == "channel":
            return {self._same(name)} if name in self.channels else set()
        if kind == "user":
            return self._all(self.people.get(name, ()), now)
        if kind == "oncall" and name in self.rotas:
            return self._ways(self.rotas[name].on_call(now), now)
        return self._all(self.roles.get(name, ()), now)

    def _same(self, channel: str) -> str:
        url = self.channels[channel].get_secret_value()
        return url.removeprefix(ALIAS) if url.startswith(ALIAS) else channel

    def _all(self, targets: tuple[str, ...], now: datetime) -> set[str]:
        return {way for target in targets for way in self._ways(target, now)}


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _moment(monday: date, handover: Handover, zone: ZoneInfo) -> datetime:
    weekday, at = handover.place
    return datetime.combine(monday + timedelta(days=weekday), at, tzinfo=zone).astimezone(UTC)
