"""Ask services outside over HTTP, and tell them what to do."""

import re
from collections.abc import Callable, Container, Mapping
from typing import Annotated, Any, Literal, Self, TypeVar
from urllib.parse import quote, urlsplit

import orjson
from pydantic import AfterValidator, Field, JsonValue, field_validator, model_validator

from soc.errors import ActionFailed
from soc.respond.action import Action, Answer, Leaving, Repeat, Risk, World
from soc.respond.secrets import Hidden, Secret, SecretText, scrub

SERVERS = 500
HOLE = re.compile(r"\{([a-z][a-z0-9_]{0,63})\}")
OURS = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "accept-encoding"}
    | {"idempotency-key", "proxy-authorization", "te", "upgrade", "expect"}
)
LONGEST_BODY = 64 * 1024
LONGEST_KEPT = 4_096
MOST = 1_000_000
"""Bytes of an answer."""
GOOD = range(200, 300)
Read = TypeVar("Read")

HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")]
Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Status = Annotated[int, Field(ge=100, le=599)]


def _one_part(text: str) -> str:
    if not text or set(text) <= {"."}:
        raise ValueError("a part of a path must not be empty, nor dots alone")
    return text


class _Http(Action):
    """A request to a public address, or to one that ``respond.outward`` opens."""

    url: Annotated[
        str,
        Field(max_length=2_000, pattern=r"^https?://", description="with holes such as {id}"),
    ]
    path_params: Annotated[
        Mapping[Word, Annotated[str, Field(max_length=500), AfterValidator(_one_part)]],
        Field(description="what fills the holes of url, percent-encoded"),
    ] = {}
    headers: Annotated[
        Mapping[HeaderName, Hidden],
        Field(max_length=20, description="each text, or a secret, or text with secrets"),
    ] = {}
    expect: Annotated[
        tuple[Status, ...], Field(description="statuses that are good; without any, 200 to 299")
    ] = ()
    keep: Annotated[
        Mapping[Word, Annotated[str, Field(pattern=r"^[^.\s]+(\.[^.\s]+)*$")]],
        Field(description="names for what later steps may read, each a path such as data.0.id"),
    ] = {}
    seconds: Annotated[float, Field(gt=0, le=20, description="until there must be an answer")] = 10

    @model_validator(mode="after")
    def _must_fit(self) -> Self:
        split = urlsplit(self.url)
        if HOLE.search(split.netloc):
            raise ValueError("url: the host is written, not filled in")
        if set(HOLE.findall(self.url)) != set(self.path_params):
            raise ValueError("path_params: give exactly the holes that url has")
        if taken := sorted(name for name in self.headers if name.lower() in OURS):
            raise ValueError(f"headers: {taken[0]} is set by the suite")
        if "status" in self.keep:
            raise ValueError("keep: status is kept always: choose another name")
        return self

    @property
    def target(self) -> str:
        """Return the URL with its holes filled."""
        return HOLE.sub(lambda hole: quote(self.path_params[hole[1]], safe=""), self.url)

    def _send(
        self, world: World, method: str, more: Mapping[str, str], body: bytes | None = None
    ) -> Mapping[str, object]:
        """Send it; raises OSError unless the answer is a good one and holds what is kept."""
        return exchange(
            world,
            method,
            self.target,
            self.headers,
            more,
            body,
            good=self.expect or GOOD,
            seconds=self.seconds,
            read=self._kept,
        )

    def _kept(self, answer: Answer, secrets: list[str]) -> dict[str, object]:
        kept: dict[str, object] = {"status": answer.status}
        if self.keep:
            found = json_of(answer.body)
            kept |= {name: _at(found, path) for name, path in self.keep.items()}
        clean: dict[str, object] = scrubbed(kept, secrets)
        return clean


class HttpGet(_Http):
    """Ask a service over HTTP, with secrets in headers, and keep what is asked for of the answer.

    Only public addresses are reached, and those that ``respond.outward`` opens.
    """

    name = "http.get"
    risk = Risk.READ
    leaves = Leaving.ASKS
    repeat = Repeat.SAFE
    example = (
        '{"url": "https://tracker.example/issues/{issue}", "path_params": {"issue": "7"},'
        ' "keep": {"state": "state"}}'
    )

    def run(self, world: World) -> Mapping[str, object]:
        """Ask; raises OSError or ActionFailed without a good answer."""
        return self._send(world, "GET", {})


class HttpRequest(_Http):
    """Tell a service over HTTP what to do, with secrets in headers.

    It carries the step's key as ``Idempotency-Key``: a receiver that honours it does the thing
    once. What it does cannot be taken back, unless the step says how under ``undo``. Only public
    addresses are reached, and those that ``respond.outward`` opens.
    """

    name = "http.request"
    risk = Risk.DESTROY
    leaves = Leaving.ACTS
    repeat = Repeat.KEY
    example = (
        '{"method": "POST", "url": "https://tracker.example/projects/{project}/issues",'
        ' "path_params": {"project": "qf"}, "body": {"title": "INC-1"}, "keep": {"issue": "id"}}'
    )

    method: Annotated[Literal["POST", "PUT", "PATCH", "DELETE"], Field(description="of HTTP")]
    body: Annotated[JsonValue, Field(description="sent as JSON")] = None

    @field_validator("body")
    @classmethod
    def _must_be_short(cls, body: JsonValue) -> JsonValue:
        try:
            size = len(orjson.dumps(body))
        except TypeError as deep:
            raise ValueError("it is nested too deep") from deep
        if size > LONGEST_BODY:
            raise ValueError(f"it is over {LONGEST_BODY} bytes")
        return body

    def run(self, world: World) -> Mapping[str, object]:
        """Send it; raises OSError or ActionFailed without a good answer."""
        key = {"Idempotency-Key": world.key}
        if self.body is None:
            return self._send(world, self.method, key)
        typed = {"Content-Type": "application/json", **key}
        return self._send(world, self.method, typed, orjson.dumps(self.body))


def exchange(
    world: World,
    method: str,
    url: str,
    headers: Mapping[str, str | Secret | SecretText],
    ours: Mapping[str, str],
    body: bytes | None,
    *,
    good: Container[int],
    seconds: float,
    read: Callable[[Answer, list[str]], Read],
    most: int = MOST,
) -> Read:
    """Return what *read* makes of a *good* answer and the secrets that were sent.

    headers: what an author wrote. ours: the suite's own. Raises ActionFailed for another answer,
    and OSError without a secret for all that *read* and the way there cannot do.
    """
    secrets: list[str] = []
    sent = {name: _revealed(value, secrets) for name, value in headers.items()}
    if wrong := [name for name, value in sent.items() if not _can_be_sent(value)]:
        raise OSError(f"header {wrong[0]}: what it holds cannot be sent")
    try:
        answer = world.http.request(method, url, {**sent, **ours}, body, seconds=seconds, most=most)
        if answer.status not in good:
            told = f"{urlsplit(url).hostname} answered {answer.status}"
            raise ActionFailed(_failure(answer.status), told)
        return read(answer, secrets)
    except OSError as failed:
        raise OSError(scrub(str(failed), secrets)) from None  # the cause may hold a secret


def _failure(status: int) -> str:
    """Return the name of what an answer of *status* means."""
    named = {401: "denied", 403: "denied", 408: "timeout", 429: "rate_limited"}
    return named.get(status) or ("invalid" if status < SERVERS else "unavailable")


def _revealed(value: str | Secret | SecretText, secrets: list[str]) -> str:
    """Return the text of a header; add the secrets in it to *secrets*."""
    if isinstance(value, str):
        return value
    parts = value.parts if isinstance(value, SecretText) else (value,)
    texts = [part if isinstance(part, str) else part.reveal() for part in parts]
    secret = [text for text, part in zip(texts, parts, strict=True) if not isinstance(part, str)]
    secrets += secret
    return "".join(texts)


def _can_be_sent(value: str) -> bool:
    return value.isascii() and value.isprintable() and value == value.strip()


def json_of(body: bytes) -> Any:  # noqa: ANN401 - any JSON
    """Return *body* read as JSON; raises OSError if it is none."""
    try:
        return orjson.loads(body)
    except ValueError as wrong:
        raise OSError("the answer is not JSON") from wrong


def _at(found: Any, path: str) -> object:  # noqa: ANN401 - any JSON
    """Return what stands at *path*; raises OSError if nothing does, or too much."""
    here = found
    for part in path.split("."):
        if isinstance(here, dict) and part in here:
            here = here[part]
        elif isinstance(here, list) and part.isdecimal() and int(part) < len(here):
            here = here[int(part)]
        else:
            raise OSError(f"keep: the answer has nothing at {path}")
    if len(orjson.dumps(here)) > LONGEST_KEPT:
        raise OSError(f"keep: what stands at {path} is over {LONGEST_KEPT} bytes")
    return here


def scrubbed(found: object, secrets: list[str]) -> Any:  # noqa: ANN401 - any JSON
    """Return *found*, any JSON, without the *secrets* in it."""
    return json_of(scrub(orjson.dumps(found).decode(), secrets).encode())
