"""What a site takes besides ``_bulk`` and OTLP, and what it expects of each source."""

from datetime import timedelta
from pathlib import Path
from string import Formatter
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    Field,
    IPvAnyNetwork,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from soc.content.kinds import Duration
from soc.model.listener import Address, Bind, Tls, address_of
from soc.model.value import Slug, Value


def known_zone(name: str) -> str:
    """Return *name* if the IANA database knows such a zone; raises ValueError."""
    try:
        return ZoneInfo(name).key
    except (ValueError, OSError, KeyError) as unknown:
        raise ValueError(f"no time zone {name!r}: write one such as Europe/Berlin") from unknown


def _printable(name: str) -> str:
    if not name.isprintable():
        raise ValueError("a source needs a name of plain characters")
    return name


SourceName = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_printable)]
"""What a source can be called."""


def cluster_url(url: str, *, has_password: bool) -> str:
    """Return *url* if it may be that of an OpenSearch node; raises ValueError, never telling it."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("write urls such as https://opensearch.example:9200")
    if parts.username is not None or parts.password is not None:
        raise ValueError("write user and password as keys of their own, not into a URL")
    if has_password and parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError("a password goes over TLS alone: write https://")
    return url


LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")]
SHORTEST_SECRET = 16


class SyslogInput(Value):
    """One address that takes syslog.

    source: what its events go under. senders: networks that may send; needed where others than this
    machine reach it, unless clients show certificates. zone: of times that name none (RFC 3164).
    connections, idle: how many may be open, and how long without a message.
    """

    bind: Bind
    protocol: Literal["tcp", "tls", "udp"]
    source: SourceName
    tls: Tls | None = None
    senders: tuple[IPvAnyNetwork, ...] = ()
    zone: Annotated[str, AfterValidator(known_zone)] = "UTC"
    connections: Annotated[int, Field(ge=1, le=10_000)] = 200
    idle: Duration = timedelta(minutes=10)

    @property
    def address(self) -> Address:
        """Return where it listens."""
        return address_of(self.bind)

    @model_validator(mode="after")
    def _must_be_safe(self) -> Self:
        if (self.protocol == "tls") != (self.tls is not None):
            raise ValueError("protocol tls needs tls: {cert, key}, and no other protocol has it")
        shows = self.tls is not None and self.tls.client_ca is not None
        if not (self.address.is_loopback or self.senders or shows):
            raise ValueError(f"{self.bind}: say who may send, such as senders: [192.0.2.0/24]")
        return self


class Hook(Value):
    """A signed webhook, at ``/hooks/NAME``.

    secret: what both sides know, at least 16 characters. signature: the header that holds it;
    prefix: what stands before it there; encoding: of it. signed: what is signed, made of
    ``{timestamp}``, ``{nonce}`` and ``{body}``. timestamp, nonce: the headers that hold them;
    timestamp_prefix: what stands before it there; window: how far it may be from now. remember: how
    long a request without a timestamp is known again. items: the field whose list holds the events,
    ``.`` for a body that is a list; else the body is one.
    """

    name: Slug
    secret: SecretStr
    source: SourceName
    signature: HeaderName = "X-Soc-Signature"
    prefix: Annotated[str, Field(max_length=32)] = "sha256="
    encoding: Literal["hex", "base64"] = "hex"
    timestamp: HeaderName | None = "X-Soc-Timestamp"
    timestamp_prefix: Annotated[str, Field(max_length=32)] = ""
    nonce: HeaderName | None = None
    signed: Annotated[str, Field(max_length=256, validate_default=True)] = "{timestamp}.{body}"
    window: Duration = timedelta(minutes=5)
    remember: Duration = timedelta(days=90)
    items: str | None = None
    format: str = "auto"

    @field_validator("secret")
    @classmethod
    def _must_be_long(cls, secret: SecretStr) -> SecretStr:
        if len(secret.get_secret_value()) < SHORTEST_SECRET:
            raise ValueError(f"write at least {SHORTEST_SECRET} unguessable characters")
        return secret

    @field_validator("signed")
    @classmethod
    def _must_sign_what_counts(cls, signed: str, info: ValidationInfo) -> str:
        try:
            names = [name for _, name, _, _ in Formatter().parse(signed) if name is not None]
        except ValueError as wrong:
            raise ValueError(f"{wrong}: write such as {{timestamp}}.{{body}}") from wrong
        if names.count("body") != 1 or not {"body", "timestamp", "nonce"}.issuperset(names):
            raise ValueError("write {body} once, and {timestamp} and {nonce} where they are signed")
        for name in ("timestamp", "nonce"):
            if name in info.data and (info.data[name] is not None) != (name in names):
                raise ValueError(
                    f"{name}: what is not signed proves nothing: sign it or write null"
                )
        return signed


class FileInput(Value):
    """Files that others write and that are followed, through renames and truncation.

    path: a pattern such as ``/var/log/nginx/*.log``, below the home unless absolute. format: auto
    or the name of a parser.
    """

    path: Annotated[str, Field(min_length=1, max_length=4096)]
    source: SourceName
    format: str = "auto"


class IndexInput(Value):
    """An index of OpenSearch that others write to, and we read.

    urls, user, password, ca: of its cluster. index: a name, or a pattern. timestamp: the field, a
    date, that an ingest pipeline set when a document came. lag: how long before now a look ends;
    more than its refresh interval and what its clocks differ. overlap: how long before the last
    look's end the next one begins.
    """

    urls: Annotated[tuple[str, ...], Field(min_length=1)]
    index: Annotated[str, Field(pattern=r"^[^\s,/?#]{1,255}$")]
    source: SourceName
    user: str = ""
    password: SecretStr = SecretStr("")
    ca: Path | None = None
    lag: Duration = timedelta(seconds=60)
    overlap: Duration = timedelta(minutes=10)
    timestamp: Annotated[str, Field(min_length=1)] = "event.ingested"
    format: str = "auto"

    @model_validator(mode="after")
    def _must_be_safe(self) -> Self:
        for url in self.urls:
            cluster_url(url, has_password=bool(self.password.get_secret_value()))
        return self


class Expected(Value):
    """What is expected of a source. rate, daily: events a second and a day (UTC) that are taken.

    silent_after: how long nothing may come before that is a finding. Requests beyond a limit are
    refused; syslog over TCP or TLS and files wait, and what comes over UDP meanwhile is lost and
    counted.
    """

    name: SourceName
    rate: Annotated[int, Field(ge=1)] | None = None
    daily: Annotated[int, Field(ge=1)] | None = None
    silent_after: Duration | None = None


class Inputs(Value):
    """What is taken besides ``_bulk`` and OTLP, and what is expected.

    syslog: addresses that take it. files: that are followed. hooks: signed webhooks. indices: of
    others, that are read. sources: that are expected, each with its limits. silent_after: of
    expected sources that name none of their own.
    """

    syslog: tuple[SyslogInput, ...] = ()
    files: tuple[FileInput, ...] = ()
    hooks: tuple[Hook, ...] = ()
    indices: tuple[IndexInput, ...] = ()
    sources: tuple[Expected, ...] = ()
    silent_after: Duration | None = None

    @field_validator("indices")
    @classmethod
    def _must_be_read_once(cls, indices: tuple[IndexInput, ...]) -> tuple[IndexInput, ...]:
        names = [(one.source, one.index) for one in indices]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"index {twice[0][1]!r} is here twice for one source")
        return indices

    @field_validator("sources")
    @classmethod
    def _must_be_named_once(cls, sources: tuple[Expected, ...]) -> tuple[Expected, ...]:
        names = [source.name for source in sources]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"source {twice[0]!r} is here twice")
        return sources

    @field_validator("hooks")
    @classmethod
    def _must_differ(cls, hooks: tuple[Hook, ...]) -> tuple[Hook, ...]:
        names = [hook.name for hook in hooks]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"hook {twice[0]!r} is here twice")
        return hooks
