"""What all routes share: the wired suite, the open event store, and who is asking."""

import base64
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import chain
from typing import Any

import orjson
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from sqlmodel import Session
from starlette.requests import HTTPConnection

from soc.access import keys
from soc.access.permissions import LOCAL, Permission, Principal
from soc.app import reporting, sourcing, taking
from soc.app.later import Later
from soc.app.local import login
from soc.app.rulebook import Rulebook
from soc.app.silence import tell_limit
from soc.app.suite import Suite
from soc.clock import nonce
from soc.errors import LogError, NotAuthenticated
from soc.logs.port import Appended, OpenLog
from soc.model.event import Reject, Row
from soc.model.value import rfc3339
from soc.store.session import reading, session
from soc.threats.assess import Assessment
from soc.web.tallies import Limit, Tallies
from soc.web.tokens import Tokens
from soc.web.turns import Turns

Address = IPv4Address | IPv6Address

COOKIE = "soc_session"
ACCESS = "soc.access"
INPUTS = "soc.inputs"
WEIGHED_FOR = timedelta(minutes=1)
"""For so long the same assessment of the threat model is shown."""
COUNTED_FOR = timedelta(seconds=10)
"""For so long the same counts of sources are shown."""
SOURCE = "soc"
"""Where the suite's own events come from."""


@dataclass
class Front:
    """The front door of one process.

    patience: seconds that a page waits for what is just being read; then it says so.
    """

    suite: Suite
    log: OpenLog
    patience: float = 4.0
    limiter: MovingWindowRateLimiter = field(
        default_factory=lambda: MovingWindowRateLimiter(MemoryStorage())
    )
    turns: Turns = field(default_factory=Turns)
    sources: Tallies = field(init=False)
    tokens: Tokens = field(init=False)

    @cached_property
    def rulebook(self) -> Rulebook:
        """All rules, read when somebody first asks."""
        return Rulebook(self.suite)

    @cached_property
    def threats(self) -> Later[Assessment]:
        """How the threat model stands, weighed when somebody asks."""
        suite = self.suite
        return Later(
            "the threat model and its evidence",
            lambda: reporting.assessed(suite, suite.clock.now()),
            suite.clock,
            WEIGHED_FOR,
        )

    @cached_property
    def senders(self) -> Later[list[dict[str, Any]]]:
        """What sends, counted when somebody asks."""
        suite = self.suite
        return Later("sources", lambda: sourcing.listed(suite), suite.clock, COUNTED_FOR)

    def __post_init__(self) -> None:
        """Count the sources, and remember who holds which token."""
        suite = self.suite
        self.tokens = Tokens(self.who_asks)
        expected = {one.name: one for one in suite.settings.inputs.sources}
        self.sources = Tallies(lambda: suite.database, suite.clock, expected)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Give a look at the store."""
        with reading(self.suite.database) as looking:
            yield looking

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Give a transaction."""
        with session(self.suite.database) as writing:
            yield writing

    def who(self, connection: HTTPConnection) -> Principal | None:
        """Return who asks: by token, by session, or, on the home's own socket, its owner.

        None for nobody; raises NotAuthenticated for a token that is no good.
        """
        scheme, _, secret = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            return self._of_machine(secret)
        if scheme.lower() in {"bearer", "apikey"}:
            with self.reading() as looking:
                return keys.of_token(looking, secret.strip())
        if scheme:
            raise NotAuthenticated("write Authorization: Bearer and a token")
        if is_local(connection):
            return Principal(name=f"os:{login()}", permissions=LOCAL)
        if secret := connection.cookies.get(COOKIE, ""):
            with self.reading() as looking:
                return keys.of_session(looking, secret, self.suite.clock.now())
        return None

    def _of_machine(self, encoded: str) -> Principal:
        """Return whose token is the password of RFC 7617: rsyslog can send nothing else.

        A person's is refused there: browsers send what they once were given to every page.
        """
        try:
            _, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (ValueError, UnicodeDecodeError) as wrong:
            raise NotAuthenticated("write the token as the password of Basic") from wrong
        with self.reading() as looking:
            found = keys.of_token(looking, secret)
        if found.person is not None:
            raise NotAuthenticated("a person's token is sent as Authorization: Bearer")
        return found

    def who_asks(self, connection: HTTPConnection) -> Principal:
        """Return who asks; raises NotAuthenticated for nobody."""
        who = self.who(connection)
        if who is None:
            raise NotAuthenticated("send Authorization: Bearer and a token")
        return who

    def require(self, connection: HTTPConnection, permission: Permission) -> Principal:
        """Return who asks, if that one holds *permission*; raises AccessDenied."""
        who = self.who_asks(connection)
        who.require(permission)
        return who

    def admit(self, counts: Mapping[str, int]) -> None:
        """Do nothing if so many events of these sources are taken now; raise TooManyRequests."""
        self.sources.admit(counts, self._tell_source_limit)

    def is_used_up(self, source: str) -> bool:
        """Return whether *source* has brought what it may bring today."""
        return self.sources.is_used_up(source, self._tell_source_limit)

    def store(self, found: Sequence[tuple[str, Row | Reject]]) -> Appended:
        """Append rows, each with its source; return when they are on the disk."""
        appended = taking.store(self.suite, self.log, found)
        self.sources.seen(Counter(source for source, _ in found))
        return appended

    def store_lines(self, lines: taking.Lines) -> Appended:
        """Append lines as the parsers read them; return when they are on the disk."""
        return self.store_together([lines])[0]

    def store_together(self, many: Sequence[taking.Lines]) -> list[Appended]:
        """Append what several requests brought as one batch; return what became of each."""
        if not many:
            return []
        stored = taking.store_together(self.suite, self.log, many)
        self.sources.seen(Counter(chain.from_iterable(lines.sources for lines in many)))
        return stored

    def tell(
        self, action: str, outcome: str, key: str, dataset: str = ACCESS, **facts: str
    ) -> None:
        """Append an event of the suite's own: a log-in, a limit that was hit, or a loss.

        People still get in where the event store cannot take it: a full disk needs them.
        """
        now = self.suite.clock.now()
        document = {
            "@timestamp": rfc3339(now),
            "event": {"id": key, "dataset": dataset, "action": action, "outcome": outcome},
            "user": {"name": facts.get("user")},
            "source": {"ip": facts.get("address") or None},
            "message": facts.get("message"),
        }
        row = Row(
            ts=now,
            raw=orjson.dumps(document).decode(),
            parser="soc",
            dataset=dataset,
            action=action,
            outcome=outcome,
            user_name=facts.get("user"),
            src_ip=facts.get("address") or None,
            event_id=key,
            message=facts.get("message"),
        )
        try:
            self.store([(SOURCE, row)])
        except LogError as full:
            told = facts.get("message")
            logging.getLogger(__name__).error("not stored, %s: %s: %s", full, action, told)  # noqa: TRY400 - foreseen

    def _tell_source_limit(self, limit: Limit) -> None:
        """Tell that a source is refused: as an event and a finding, once for each matter."""
        key = f"limit:{limit.source}:{limit.kind}:{limit.key}"
        self.tell("limit", "failure", key, dataset=INPUTS, message=limit.reason)
        tell_limit(self.suite, limit.source, limit.reason)

    def allows(self, what: str, address: str, per_minute: int) -> bool:
        """Count a request of *address*; return whether it is within *per_minute*."""
        return self.limiter.hit(RateLimitItemPerMinute(per_minute), what, address)

    def tell_limit(self, what: str, address: str) -> None:
        """Tell that *address* hit a limit, once a minute: an attacker must not fill the log."""
        if self.allows(f"told {what}", address, 1):
            message = f"more {what} requests in a minute than are answered"
            self.tell("limit", "failure", nonce(), address=address, message=message)

    def address(self, connection: HTTPConnection) -> str:
        """Return the IP address of who asks, as far as the settings let it be believed."""
        return address_of(connection, self.suite.settings.web.trusted_proxy)

    @property
    def session_lasts(self) -> timedelta:
        """Return how long a log-in lasts."""
        return timedelta(hours=self.suite.settings.web.session_hours)


def is_local(connection: HTTPConnection) -> bool:
    """Return whether the request came through the home's socket, which only its owner can open."""
    server = connection.scope.get("server")
    return server is not None and server[1] is None


def address_of(connection: HTTPConnection, trusted: Sequence[Address] = ()) -> str:
    """Return the IP address of who asks; nothing for who came through the home's socket.

    What a peer in *trusted* forwards is believed: the last entry, which that peer wrote itself.
    """
    peer = _address(connection.client.host if connection.client else "")
    if peer is None or peer not in trusted:
        return str(peer or "")
    forwarded = ",".join(connection.headers.getlist("x-forwarded-for"))
    return str(_address(forwarded.rpartition(",")[2].strip()) or peer)


def _address(text: str) -> Address | None:
    """Return the address that *text* writes: without a zone, an embedded IPv4 as itself."""
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found
