"""What a site decides: one frozen object, read from ``settings.yml`` and ``SOC_*`` once."""

import base64
import json
import os
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    IPvAnyAddress,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from soc.contacts import Contacts, PersonTarget
from soc.content.document import Document, did_you_mean
from soc.content.kinds import Duration, keys_beside, keys_of
from soc.errors import SettingsError
from soc.inputs import SHORTEST_SECRET, Inputs, cluster_url
from soc.model.listener import Listener, address_of, unsafe
from soc.model.shard import SHARDS
from soc.model.value import Entity, Slug, Value
from soc.outward import Opened, SecretName, SecretSource
from soc.triage import Incidents

PREFIX = "SOC_"
STORES = ("sqlite:///", "postgresql://")
OUTSIDE = frozenset({"SOC_HOME", "SOC_TOKEN"})
"""Read by the command line itself, not settings."""


RAW_KEY = 32
"""Bytes of a key of Ed25519, public or private."""


def raw_key(text: str) -> bytes:
    """Return the key that *text* writes in base64; raises ValueError."""
    try:
        if len(raw := base64.b64decode(text, validate=True)) == RAW_KEY:
            return raw
    except ValueError:
        pass
    raise ValueError("write the 44 characters of base64 that `soc playbooks key` printed")


def _is_key(text: str) -> str:
    raw_key(text)
    return text


PublicKey = Annotated[str, AfterValidator(_is_key)]


class Mode(StrEnum):
    """How far the suite goes unasked.

    plan: it holds nobody back. contain: it does what can be undone. full: it does everything.
    """

    PLAN = "plan"
    CONTAIN = "contain"
    FULL = "full"


class Folder(Value):
    """One more folder of content, and whether its rules may act."""

    path: Path
    mode: Literal["monitor", "active"] = "monitor"


class Tuning(Value):
    """What a site changes about one detector or rule without copying it."""

    timespan: Duration | None = None
    bucket: Duration | None = None


class Logs(Value):
    """The event store.

    seal_rows, seal_after: when the tail becomes a segment. warn_below, refuse_below: shares of the
    disk; with less free people are told, and then nothing more is taken in. sql_seconds,
    sql_memory_mb: what one question may use.
    """

    seal_rows: Annotated[int, Field(ge=1)] = 60_000
    seal_after: Duration = timedelta(minutes=5)
    remembered_ids: Annotated[int, Field(ge=1)] = 500_000
    warn_below: Annotated[float, Field(ge=0, lt=1)] = 0.15
    refuse_below: Annotated[float, Field(ge=0, lt=1)] = 0.05
    sql_seconds: Annotated[float, Field(gt=0)] = 30.0
    sql_memory_mb: Annotated[int, Field(ge=64)] = 1_024


class Store(Value):
    """Where everything but events is kept.

    url: ``sqlite:///FILE`` or ``postgresql://USER:PASSWORD@HOST:PORT/NAME``; without one, a SQLite
    file in the home. It is never shown. Without a password in it, PostgreSQL's own password file
    is read.
    """

    url: SecretStr | None = None

    @field_validator("url")
    @classmethod
    def _of_a_store(cls, given: SecretStr | None) -> SecretStr | None:
        if given and not given.get_secret_value().startswith(STORES):
            raise ValueError("write sqlite:///FILE or postgresql://USER:PASSWORD@HOST:PORT/NAME")
        return given


class OpenSearch(Value):
    """Where events are kept at scale. Without urls they are kept in the home.

    urls: nodes of one cluster, such as ``https://opensearch.example:9200``. ca: file of the
    authority that signed their certificates, in the home unless it is absolute. timeout: seconds
    for one question. shard: the number of this front door among those that write to one cluster;
    without it, the home gets one from the store.
    """

    urls: tuple[str, ...] = ()
    user: str = ""
    password: SecretStr = SecretStr("")
    ca: Path | None = None
    timeout: Annotated[float, Field(gt=0)] = 30.0
    shard: Annotated[int, Field(ge=0, lt=SHARDS)] | None = None

    @model_validator(mode="after")
    def _must_keep_its_password(self) -> Self:
        for url in self.urls:
            cluster_url(url, has_password=bool(self.password.get_secret_value()))
        return self


class Detect(Value):
    """Detection.

    every: how often windows are due. window: events a window takes at most. lateness: how late an
    event may be and still count. tuning: per rule or detector. pipelines: what rules mean by a log
    source and its fields, instead of the usual ones: ``sysmon``, ``windows-logsources``,
    ``winlogbeat``, ``auditd``, ``source-names``.
    """

    every: Annotated[float, Field(gt=0)] = 5.0
    window: Annotated[int, Field(ge=1)] = 20_000
    lateness: Duration = timedelta(minutes=10)
    bucket: Duration = timedelta(hours=1)
    tuning: Mapping[str, Tuning] = {}
    pipelines: tuple[str, ...] | None = None


class Respond(Value):
    """Response.

    budget: subjects that one run holds back unasked. budgets: per action or playbook, subjects that
    it may hold back unasked in an hour. budget_share: the share of those who gave in the last 30
    days that may be held back at once unasked, where they are at least 20. protected: subjects
    nobody holds back.
    ttl: per ``playbook/step``, instead of what the playbook says. lease: how long a worker owns a
    run without a sign of life. outward: addresses that are not public, each with its port, such as
    ``10.0.0.5:8443``, that playbooks may reach by ``http.request``. outward_ca: file of the
    authorities that it trusts instead of the public ones. heartbeat_url: what is fetched each
    minute while all is well, so that somebody else notices when it is not; never shown. signers:
    by person, such as ``user:alice``, the public key that ``soc playbooks key`` printed.
    require_signed: only playbooks that one of them signed are used, and not by who wrote them.
    """

    mode: Mode = Mode.PLAN
    budget: Annotated[int, Field(ge=0)] = 50
    budgets: Mapping[str, Annotated[int, Field(ge=0)]] = {}
    budget_share: Annotated[float, Field(gt=0, le=1)] | None = None
    protected: tuple[str, ...] = ()
    ttl: Mapping[str, Duration] = {}
    lease: Duration = timedelta(seconds=30)
    approval_expires: Duration | None = None
    outward: tuple[Opened, ...] = ()
    outward_ca: Path | None = None
    heartbeat_url: SecretStr | None = None
    signers: Mapping[PersonTarget, PublicKey] = {}
    require_signed: bool = False

    @field_validator("protected")
    @classmethod
    def _spell_one_way(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return tuple(str(Entity.parse(subject)) for subject in given)
        except ValueError as wrong:
            raise ValueError("write kind and value, such as wallet:0xab") from wrong

    @field_validator("heartbeat_url")
    @classmethod
    def _must_be_http(cls, url: SecretStr | None) -> SecretStr | None:
        if url and not url.get_secret_value().startswith(("http://", "https://")):
            raise ValueError("write a URL that begins with https://")
        return url


class Platform(Value):
    """A platform that enforces by itself, and is told of every change by a signed request.

    secret: what both sides know, at least 16 characters; never shown. timeout: seconds that it may
    take to answer.
    """

    name: Slug
    url: Annotated[str, Field(pattern=r"^https?://[^\s@]+$", max_length=2_000)]
    secret: SecretStr
    timeout: Annotated[float, Field(gt=0, le=30)] = 5.0

    @field_validator("secret")
    @classmethod
    def _must_be_long(cls, secret: SecretStr) -> SecretStr:
        if len(secret.get_secret_value()) < SHORTEST_SECRET:
            raise ValueError(f"write at least {SHORTEST_SECRET} unguessable characters")
        return secret


class Nginx(Value):
    """Quarantines as a file for nginx's ``map``, written anew by workers at every change.

    file: in the home unless it is absolute; without it none is written. reload: the command, word
    by word, that makes nginx read it.
    """

    file: Path | None = None
    reload: tuple[str, ...] = ()


class Edges(Value):
    """Where effects are obeyed, and when people are told that they are not.

    lag: how long an edge may not know a change. max_age: how long it may be silent. max_skew: how
    far its clock may be from ours. forget_after: an edge that is silent for so long was taken away.
    """

    lag: Duration = timedelta(seconds=60)
    max_age: Duration = timedelta(seconds=90)
    max_skew: Duration = timedelta(seconds=5)
    forget_after: Duration = timedelta(hours=24)
    webhooks: tuple[Platform, ...] = ()
    nginx: Nginx = Nginx()

    @field_validator("webhooks")
    @classmethod
    def _names_must_differ(cls, given: tuple[Platform, ...]) -> tuple[Platform, ...]:
        names = [one.name for one in given]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{twice[0]} is here twice")
        return given


class Web(Value):
    """The front door.

    listeners: where it listens, each with its TLS and what it serves; without any, host and port.
    Only loopback addresses may be served without TLS, or with a trusted proxy before them.
    max_body, max_items: bytes, unpacked, and events that one request may bring.
    login_per_minute, api_per_minute: requests per client address that are answered.
    url: where people open the console, such as ``https://soc.example``: messages link there, and
    whoever follows a link logs in.
    trusted_proxy: addresses whose ``X-Forwarded-For`` is believed, and of it the last entry alone.
    """

    host: Annotated[str, AfterValidator(lambda host: address_of(f"{host}:0").host)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8780
    url: Annotated[str, Field(pattern=r"^(https?://[^\s@?#]+)?$", max_length=500)] = ""
    max_body: Annotated[int, Field(ge=1024)] = 64 * 1024 * 1024
    max_items: Annotated[int, Field(ge=1)] = 50_000
    login_per_minute: Annotated[int, Field(ge=1)] = 30
    api_per_minute: Annotated[int, Field(ge=1)] = 1_200
    session_hours: Annotated[int, Field(ge=1)] = 8
    secure_cookies: bool = False
    trusted_proxy: tuple[IPvAnyAddress, ...] = ()
    listeners: tuple[Listener, ...] = ()

    @field_validator("listeners")
    @classmethod
    def _must_be_safe(
        cls, listeners: tuple[Listener, ...], info: ValidationInfo
    ) -> tuple[Listener, ...]:
        has_proxy = bool(info.data.get("trusted_proxy"))
        reasons = [
            unsafe(one.address, has_tls=one.tls is not None, has_proxy=has_proxy)
            for one in listeners
        ]
        if wrong := [reason for reason in reasons if reason]:
            raise ValueError(wrong[0])
        fixed = [one.address for one in listeners if one.address.port]
        if twice := [one for one in fixed if fixed.count(one) > 1]:
            raise ValueError(f"{twice[0]} is here twice")
        return listeners


class Retrain(Value):
    """What is learned anew by the clock, as ``soc intelligence train`` does it.

    task: what is foretold. every: how often. above: the amount that is high, for high-value.
    models: those that are compared, by default all.
    """

    task: Literal["lifetime-value", "returns", "high-value"]
    every: Duration = timedelta(days=7)
    window: Duration = timedelta(days=7)
    moments: Annotated[int, Field(ge=3, le=24)] = 6
    above: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    without: tuple[str, ...] = ()
    models: tuple[str, ...] = ()


class Intelligence(Value):
    """What is studied of users. currency: chain and token, if events have several.

    decimals: a token has ten to this power of smallest units. window: how far back the page looks.
    """

    retrain: tuple[Retrain, ...] = ()

    currency: Annotated[str | None, Field(max_length=100)] = None
    decimals: Annotated[int, Field(ge=0, le=38)] = 0
    window: Duration = timedelta(days=7)


class Groups(Value):
    """Everything a site decides, as it is checked; each value says what holds out of the box."""

    model_config = ConfigDict(hide_input_in_errors=True)  # it may be a secret

    content: tuple[Folder, ...] = ()
    store: Store = Store()
    logs: Logs = Logs()
    opensearch: OpenSearch = OpenSearch()
    detect: Detect = Detect()
    incidents: Incidents = Incidents()
    respond: Respond = Respond()
    edges: Edges = Edges()
    web: Web = Web()
    inputs: Inputs = Inputs()
    intelligence: Intelligence = Intelligence()
    contacts: Contacts = Contacts()
    secrets: Mapping[SecretName, SecretSource] = {}


class Settings(BaseSettings):
    """Everything a site decides, once: nothing asks the environment after this was made."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    content: tuple[Folder, ...]
    store: Store
    logs: Logs
    opensearch: OpenSearch
    detect: Detect
    incidents: Incidents
    respond: Respond
    edges: Edges
    web: Web
    inputs: Inputs
    intelligence: Intelligence
    contacts: Contacts
    secrets: Mapping[SecretName, SecretSource]

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library's own signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take only what *read* hands over: it joined file and environment."""
        return (init_settings,)


def environment() -> Mapping[str, str]:
    """Return the variables of this process, of which secrets may be some."""
    return os.environ


def of(groups: Groups) -> Settings:
    """Return the settings that *groups* hold."""
    return Settings(**{name: getattr(groups, name) for name in Groups.model_fields})


def read(file: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings in *file*, overridden by ``SOC_<GROUP>__<KEY>``.

    Raises SettingsError naming every mistake with its line or variable.
    """
    document = Document(file) if file.is_file() else None
    plain = document.plain if document and document.plain else {}
    if not isinstance(plain, dict):
        raise SettingsError(f"{file}:1: write a group and its keys, such as 'web:'")
    problems = [str(problem) for problem in (document.problems if document else [])]
    variables = _override(plain, os.environ if environ is None else environ, problems)
    try:
        # Strict JSON lets text become a path, an enum or a span, and converts nothing else.
        settings = of(Groups.model_validate_json(json.dumps(plain)))
    except ValidationError as invalid:
        for error in invalid.errors(include_url=False):
            place = ".".join(map(str, error["loc"]))
            where = variables.get(place) or _where(file, document, error["loc"])
            problems.append(f"{where}: {_said(error)}")
        raise SettingsError("\n".join(problems)) from invalid
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def _said(error: Mapping[str, Any]) -> str:
    """Return what is wrong, and what to write instead."""
    key = str(error["loc"][-1]) if error["loc"] else ""
    if error["type"] == "extra_forbidden":
        known = keys_beside(Groups, error["loc"]) or keys_of([Groups])
        return f"unknown setting {key}: {did_you_mean(key, known)}"
    if error["type"] == "missing":
        return f"{key} is missing: write it"
    return str(error["msg"]).removeprefix("Value error, ")


def _override(
    plain: dict[str, Any], environ: Mapping[str, str], problems: list[str]
) -> dict[str, str]:
    """Put every ``SOC_`` variable in its place; return which place came from which variable."""
    variables: dict[str, str] = {}
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in OUTSIDE:
            continue
        group, mark, key = name.removeprefix(PREFIX).lower().partition("__")
        if not mark or group not in Groups.model_fields or "__" in key:
            known = (f"{PREFIX}{known.upper()}__…" for known in Groups.model_fields)
            problems.append(f"{name}: unknown setting: {did_you_mean(name, known)}")
            continue
        try:
            value = json.loads(environ[name])
        except ValueError:
            value = environ[name]
        given = plain.get(group) or {}
        if not isinstance(given, dict):
            continue  # what the file says instead of keys is told with its line
        plain[group] = {**given, key: value}
        variables[f"{group}.{key}"] = name
    return variables


def _where(file: Path, document: Document | None, place: tuple[int | str, ...]) -> str:
    return f"{file}:{document.line(place)}" if document else ".".join(map(str, place))
