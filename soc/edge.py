"""Obey limits and quarantines inside the platform, without asking anyone.

A platform imports this one file: it needs the standard library and nothing else. Every rule carries
its own end, so a limit ends on time even when the suite that made it is gone.
"""

import json
from collections import Counter
from collections.abc import (
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
    Sequence,
)
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from heapq import heappop, heappush
from http.client import HTTPException
from ipaddress import IPv4Network, IPv6Network, ip_network
from math import ceil
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Key = str | tuple[int, int, int]

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
FOR_EVER = datetime.max.replace(tzinfo=UTC)
MIN_RATE, MAX_BURST = 0.001, 1_000_000
HEARTBEAT = 20.0
"""Seconds after which an edge reports again where nothing changed."""
MAX_ANSWER = 64 << 20
"""Bytes of an answer that are read at most: some 400,000 rules."""


class Kind(StrEnum):
    """What a rule does to a subject.

    rate_limit: served only so often. quarantine: not served. allow: its own limits do not count.
    """

    RATE_LIMIT = "rate_limit"
    QUARANTINE = "quarantine"
    ALLOW = "allow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What an edge obeys: whom to hold back, how, until when, and for which effect.

    subject: ``wallet:<address>``, ``account:<id>`` or ``ip:<address or CIDR>``; a network shares
    one allowance. rate: requests a minute. burst: requests at once. Only a limit has them.
    """

    subject: str
    kind: Kind
    until: datetime
    effect: str
    rate: float = 0
    burst: int = 0

    def __post_init__(self) -> None:
        if self.until.utcoffset() is None:
            raise ValueError("until needs a time zone")
        if not self.effect.isascii() or not self.effect.isprintable():
            raise ValueError("an effect's id goes into a header: plain ASCII only")
        if self.kind is Kind.RATE_LIMIT and not (
            self.rate >= MIN_RATE and 1 <= self.burst <= MAX_BURST
        ):
            raise ValueError("a limit lets at least 1 pass, now and then: else use quarantine")
        key_of(self.subject)

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> "Rule":
        """Return the rule that the suite wrote as JSON; only an ``allow`` may have no end."""
        kind = Kind(raw["kind"])
        endless = kind is Kind.ALLOW and raw.get("until") is None
        return cls(
            subject=str(raw["subject"]),
            kind=kind,
            until=FOR_EVER if endless else datetime.fromisoformat(raw["until"]),
            effect=str(raw["effect"]),
            rate=float(raw.get("rate") or 0),
            burst=int(raw.get("burst") or 0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a request may not pass. It names the effect, so that support can find and lift it."""

    status: int
    effect: str
    wait: timedelta

    @property
    def seconds(self) -> int:
        """Return the whole seconds after which it is worth coming back."""
        return ceil(self.wait / SECOND)


def utc_now() -> datetime:
    """Return the present moment, in UTC."""
    return datetime.now(UTC)


def key_of(subject: str) -> Key:
    """Return the one spelling of *subject*: a wallet in lower case, a network as numbers."""
    kind, colon, value = subject.partition(":")
    if not (kind and colon and value):
        raise ValueError(f"{subject!r} is no subject: write kind:value, as in wallet:0xab")
    if kind == "wallet":
        return f"wallet:{value.lower()}"
    if kind == "ip":
        network = _network(value)
        return _key_in(network, network.prefixlen)
    return subject


def _network(value: str) -> IPv4Network | IPv6Network:
    network = ip_network(value, strict=False)
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    if mapped is not None and network.prefixlen >= 96:  # noqa: PLR2004  the bits before an IPv4
        return IPv4Network((mapped, network.prefixlen - 96))
    return network


def _key_in(network: IPv4Network | IPv6Network, length: int) -> Key:
    """Return the key of the network of *length* bits that holds *network*."""
    return network.version, length, int(network.network_address) >> network.max_prefixlen - length


class Snapshot:
    """The rules in force, and when the allowance of each limit will be whole again.

    Any thread may use it. Nothing but the clock that is passed in ends a rule, so rules end on time
    with or without the suite.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._rules: dict[Key, dict[str, Rule]] = {}
        self._keys: dict[str, set[Key]] = {}
        self._ends: list[tuple[datetime, str]] = []
        self._count = 0
        self._networks: Counter[tuple[int, int]] = Counter()
        self._lengths: dict[int, tuple[int, ...]] = {}
        self._whole_at: dict[tuple[Key, str], datetime] = {}

    def enforce(self, rule: Rule) -> None:
        """Obey *rule*, in the place of any earlier one of its effect; what is used stays used."""
        with self._lock:
            self._add(rule)

    def lift(self, effect: str) -> None:
        """Stop obeying the rules of *effect*; do nothing if there are none."""
        with self._lock:
            self._drop(effect)

    def change(self, rules: Iterable[Rule], removed: Iterable[str], now: datetime) -> None:
        """Drop the effects in *removed* and what has ended by *now*, then obey *rules*."""
        with self._lock:
            self._forget_ended(now)
            for effect in removed:
                self._drop(effect)
            for rule in rules:
                self._add(rule)

    def replace(self, rules: Iterable[Rule]) -> None:
        """Obey *rules* and no other; what is used of a limit that stays, stays used."""
        with self._lock:
            self._rules, self._keys, self._ends, self._count = {}, {}, [], 0
            self._networks, self._lengths = Counter(), {}
            for rule in rules:
                self._add(rule)
            kept = {(key, effect) for effect, keys in self._keys.items() for key in keys}
            self._whole_at = {at: whole for at, whole in self._whole_at.items() if at in kept}

    def rules(self, now: datetime) -> tuple[Rule, ...]:
        """Return the rules in force, in the order of their effects and subjects."""
        with self._lock:
            every = [rule for rules in self._rules.values() for rule in rules.values()]
        live = [rule for rule in every if now < rule.until]
        return tuple(sorted(live, key=lambda rule: (rule.effect, rule.subject)))

    def count(self, now: datetime) -> int:
        """Return how many rules are in force; cheap, however many there are."""
        with self._lock:
            self._forget_ended(now)
            return self._count

    def refusal(self, subjects: Sequence[str], now: datetime) -> Refusal | None:
        """Return why a request of these *subjects* may not pass, or None if it may.

        Of each subject the strictest live rule decides; a request must satisfy all its subjects,
        and only one that passes is taken from their allowances.
        """
        with self._lock:
            if not self._rules:
                return None
            bounds = [bound for each in subjects if (bound := self._strictest(each, now))]
            shut = [rule for _, rule in bounds if rule.kind is Kind.QUARANTINE]
            if shut:
                last = max(shut, key=lambda rule: (rule.until, rule.effect))
                return Refusal(status=403, effect=last.effect, wait=last.until - now)
            waits = [(self._wait(key, rule, now), rule.effect) for key, rule in bounds]
            wait, effect = max(waits, default=(timedelta(), ""))
            if wait:
                return Refusal(status=429, effect=effect, wait=wait)
            for key, rule in bounds:
                self._spend(key, rule, now)
            return None

    def _strictest(self, subject: str, now: datetime) -> tuple[Key, Rule] | None:
        live = [
            (key, rule)
            for key in self._keys_about(subject)
            for rule in self._rules.get(key, {}).values()
            if now < rule.until
        ]
        if any(rule.kind is Kind.ALLOW for _, rule in live):
            live = [(key, rule) for key, rule in live if rule.kind is Kind.QUARANTINE]
        shut = [(key, rule) for key, rule in live if rule.kind is Kind.QUARANTINE]
        if shut:
            return max(shut, key=lambda bound: (bound[1].until, bound[1].effect))
        return min(
            live, key=lambda bound: (bound[1].rate, bound[1].burst, bound[1].effect), default=None
        )

    def _keys_about(self, subject: str) -> Iterator[Key]:
        """Give every key under which a rule about *subject* may stand; none if it is no subject."""
        try:
            if not subject.startswith("ip:"):
                yield key_of(subject)
                return
            if not self._lengths:
                return
            address = _network(subject.removeprefix("ip:"))
        except ValueError:
            return
        for length in self._lengths.get(address.version, ()):
            if length <= address.prefixlen:
                yield _key_in(address, length)

    def _wait(self, key: Key, rule: Rule, now: datetime) -> timedelta:
        """Return how long until there is a request to take from the allowance of *rule*.

        The generic cell rate algorithm of ITU-T I.371: instead of a log of requests it keeps one
        moment, the one at which the allowance will be whole again.
        """
        whole = max(self._whole_at.get((key, rule.effect), now), now)
        return max(whole - now - MINUTE / rule.rate * (rule.burst - 1), timedelta())

    def _spend(self, key: Key, rule: Rule, now: datetime) -> None:
        whole = max(self._whole_at.get((key, rule.effect), now), now)
        self._whole_at[key, rule.effect] = whole + MINUTE / rule.rate

    def _add(self, rule: Rule) -> None:
        key = key_of(rule.subject)
        if key not in self._rules and isinstance(key, tuple):
            self._networks[key[:2]] += 1
            self._measure()
        rules = self._rules.setdefault(key, {})
        self._count += rule.effect not in rules
        rules[rule.effect] = rule
        self._keys.setdefault(rule.effect, set()).add(key)
        heappush(self._ends, (rule.until, rule.effect))

    def _drop(self, effect: str) -> None:
        for key in self._keys.pop(effect, set()):
            rules = self._rules[key]
            del rules[effect]
            self._count -= 1
            if not rules:
                del self._rules[key]
                if isinstance(key, tuple):
                    self._networks[key[:2]] -= 1
                    self._measure()
            self._whole_at.pop((key, effect), None)

    def _forget_ended(self, now: datetime) -> None:
        """Drop the effects none of whose rules is in force any more."""
        while self._ends and self._ends[0][0] <= now:
            _, effect = heappop(self._ends)
            keys = self._keys.get(effect, set())
            if all(self._rules[key][effect].until <= now for key in keys):
                self._drop(effect)

    def _measure(self) -> None:
        """Note which lengths of networks rules speak of: an address is looked up once for each."""
        known = sorted(network for network, rules in self._networks.items() if rules)
        self._lengths = {
            version: tuple(length for of, length in known if of == version)
            for version in dict(known)
        }


class _NoRedirect(HTTPRedirectHandler):
    """Follows nobody elsewhere: the token is for the suite alone."""

    def redirect_request(self, *_: object) -> None:
        """Refuse, so that the redirect itself becomes the error."""


class EdgeClient:
    """Keeps a snapshot as the suite wants it, from a thread that lives as long as the platform.

    It asks with long polls and reports what it obeys after each change, and as a sign of life.
    While the suite is away the last known rules stay until their own end; *version*, *age* and
    *error* are for health pages.
    """

    def __init__(
        self,
        url: str,
        token: str,
        snapshot: Snapshot,
        edge: str = "edge",
        *,
        now: Callable[[], datetime] = utc_now,
        wait: int = 25,
        max_pause: float = 2.0,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise ValueError("the suite's address starts with http:// or https://")
        self.edge = edge
        self.version = 0
        self.error: str | None = None
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._snapshot = snapshot
        self._now = now
        self._wait = wait
        self._max_pause = max_pause
        self._opener = build_opener(ProxyHandler({}), _NoRedirect())
        self._stopping = Event()
        self._heard: float | None = None
        self._report: dict[str, object] | None = None
        self._reported = float("-inf")
        self._unreadable: list[str] = []
        self._thread = Thread(target=self._run, name=f"edge-{edge}", daemon=True)

    @property
    def age(self) -> timedelta | None:
        """Return how long ago the suite last answered, or None if it never did."""
        return None if self._heard is None else timedelta(seconds=monotonic() - self._heard)

    def start(self) -> None:
        """Begin to follow the suite."""
        self._thread.start()

    def stop(self, patience: float = 0) -> None:
        """Ask the thread to end, and give an open poll *patience* seconds to do so."""
        self._stopping.set()
        self._thread.join(patience)

    def _run(self) -> None:
        pause = 0.1
        while not self._stopping.is_set():
            began = monotonic()
            try:
                changed = self._poll()
                self._send_report()
                self.error, pause = None, 0.1
            except (OSError, HTTPException, ValueError, KeyError, TypeError, AttributeError) as why:
                self.error = f"{type(why).__name__}: {why}"
                self._stopping.wait(pause)
                pause = min(pause * 2, self._max_pause)
                continue
            # A suite that answers "nothing new" at once must not be asked without end.
            if not changed and monotonic() - began < 1:
                self._stopping.wait(0.2)

    def _poll(self) -> bool:
        """Ask once, obey the answer, and return whether it changed anything."""
        known = self.version if self._heard is not None else 0
        answer, skew = self._call(f"/v1/edge/rules?after={known}&wait={self._wait}", None)
        version, full = int(answer["version"]), bool(answer.get("full"))
        raws, removed = list(answer.get("rules") or ()), list(answer.get("removed") or ())
        rules, unreadable = _readable(raws)
        if full:
            self._unreadable = unreadable
        else:
            settled = {*map(str, removed), *(rule.effect for rule in rules), *unreadable}
            kept = [effect for effect in self._unreadable if effect not in settled]
            self._unreadable = kept + unreadable
        if full:
            self._snapshot.replace(rules)
        else:
            self._snapshot.change(rules, map(str, removed), self._now())
        first, changed = (
            self._heard is None,
            version != self.version or bool(full or raws or removed),
        )
        self.version, self._heard = version, monotonic()
        if first or changed or monotonic() - self._reported >= HEARTBEAT:
            self._report = {
                "edge": self.edge,
                "version": version,
                "skew_ms": skew,
                "applied": self._snapshot.count(self._now()),
                "failed": len(self._unreadable),
            }
        return changed

    def _send_report(self) -> None:
        """Tell the suite what is obeyed here; what it misses now is told after the next poll."""
        if self._report is not None:
            self._call("/v1/edge/report", json.dumps(self._report).encode())
            self._report, self._reported = None, monotonic()

    def _call(self, path: str, body: bytes | None) -> tuple[dict[str, Any], int]:
        """Return the suite's answer, and by how many milliseconds our clock is ahead of its."""
        request = Request(self._url + path, body, self._headers)  # noqa: S310  http, see __init__
        with self._opener.open(request, timeout=self._wait + 10) as response:
            content = response.read(MAX_ANSWER + 1)
            date = response.headers.get("Date")
        if len(content) > MAX_ANSWER:
            raise ValueError("the suite's answer is too long")
        skew = self._now() - parsedate_to_datetime(date) if date else timedelta()
        # The header counts whole seconds: less than one ahead of it is not ahead.
        ahead = skew - SECOND if skew >= SECOND else min(skew, timedelta())
        return (json.loads(content) if content else {}), round(ahead / SECOND * 1000)


def _readable(raws: Iterable[Any]) -> tuple[list[Rule], list[str]]:
    """Return the rules that can be obeyed, and the effects of those that cannot.

    One bad rule spoils no other.
    """
    rules: list[Rule] = []
    unreadable: list[str] = []
    for raw in raws:
        try:
            rules.append(Rule.parse(raw))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
            unreadable.append(str(raw.get("effect")) if isinstance(raw, Mapping) else "")
    return rules, unreadable


@dataclass(frozen=True, slots=True)
class EdgeMiddleware:
    """Answers for the app where a rule forbids the request, and else hands it on untouched.

    *subjects_of* must read the authenticated session, never a header that a client can write.
    Only HTTP is checked: an app whose wallets act over websockets asks the snapshot there itself.
    """

    app: App
    snapshot: Snapshot
    subjects_of: Callable[[Scope], Sequence[str]]
    now: Callable[[], datetime] = utc_now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, as ASGI has it."""
        subjects = self.subjects_of(scope) if scope["type"] == "http" else ()
        refusal = self.snapshot.refusal(subjects, self.now()) if subjects else None
        if refusal is None:
            await self.app(scope, receive, send)
        else:
            await _refuse(refusal, send)


async def _refuse(refusal: Refusal, send: Send) -> None:
    error = "limited" if refusal.status == 429 else "quarantined"  # noqa: PLR2004  it is HTTP's own
    body = json.dumps({"error": error, "effect": refusal.effect, "retry_after": refusal.seconds})
    headers = [
        (b"content-length", str(len(body)).encode()),
        (b"content-type", b"application/json"),
        (b"retry-after", str(refusal.seconds).encode()),
        (b"x-soc-effect", refusal.effect.encode()),
    ]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body.encode()})
