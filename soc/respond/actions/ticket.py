"""Open tickets where a team keeps its work."""

from collections.abc import Mapping
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Any, NamedTuple, Self
from urllib.parse import quote, urlsplit

import orjson
from pydantic import Field

from soc.respond.action import Action, Leaving, Repeat, Risk, World
from soc.respond.actions.http import GOOD, exchange, json_of, scrubbed
from soc.respond.actions.tell import cut
from soc.respond.secrets import Hidden

SECONDS = 15.0
MOST = 4_000_000
"""Bytes of a list of tickets."""


class Tracker(StrEnum):
    """Whose API it is. forgejo: Gitea's as well."""

    GITHUB = "github"
    GITLAB = "gitlab"
    FORGEJO = "forgejo"


class _Api(NamedTuple):
    """Where the tickets of a project are, and what their fields are called."""

    path: str
    newest: str
    text: str
    number: str
    link: str


APIS: Mapping[Tracker, _Api] = {
    Tracker.GITHUB: _Api(
        "/repos/{project}/issues",
        "state=all&sort=created&direction=desc&per_page=100",
        "body",
        "number",
        "html_url",
    ),
    Tracker.GITLAB: _Api(
        "/projects/{project}/issues",
        "order_by=created_at&sort=desc&per_page=100",
        "description",
        "iid",
        "web_url",
    ),
    Tracker.FORGEJO: _Api(
        "/repos/{project}/issues",
        "state=all&type=issues&sort=newest&limit=50",
        "body",
        "number",
        "html_url",
    ),
}


class Create(Action):
    """Open a ticket in a tracker.

    Its text ends with a mark of the step. If a crash leaves open whether the ticket was made, the
    newest tickets are looked through for the mark before another one is made.
    """

    name = "ticket.create"
    risk = Risk.NOTIFY
    leaves = Leaving.TELLS
    repeat = Repeat.CHECK
    example = (
        '{"tracker": "forgejo", "api": "https://tracker.example/api/v1", "project": "qf/ops",'
        ' "title": "INC-1: twelve wallets share a funder"}'
    )

    tracker: Annotated[Tracker, Field(description="github, gitlab, or forgejo, which Gitea is too")]
    api: Annotated[
        str,
        Field(
            max_length=500,
            pattern=r"^https?://[^\s?#]+$",
            description="where its API begins, such as https://api.github.com",
        ),
    ]
    project: Annotated[
        str,
        Field(
            max_length=200,
            pattern=r"^[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)*$",
            description="owner and name, such as qf/ops",
        ),
    ]
    title: Annotated[str, cut(200), Field(min_length=1, description="one sentence")]
    text: Annotated[str, cut(4_000), Field(description="what to know, as Markdown")] = ""
    authorization: Annotated[
        Hidden, Field(description="that header, such as Bearer with a secret")
    ] = ""

    def run(self, world: World) -> Mapping[str, object]:
        """Open it; raises OSError or ActionFailed where it cannot be."""
        api = APIS[self.tracker]
        text = f"{self.text}\n\n{_mark(world)}".strip()
        body = orjson.dumps({"title": self.title, api.text: text})
        return self._told(self._ask(world, "POST", "", body))

    def probe(self, world: World) -> Mapping[str, object] | None:
        """Return the ticket that has the mark of this step, of the newest ones."""
        api = APIS[self.tracker]
        found = self._ask(world, "GET", f"?{api.newest}")
        if not isinstance(found, list):
            raise OSError(f"{self._host} answered with no list of tickets")
        marks = _mark(world)
        mine = (one for one in found if marks in str(_get(one, api.text)))
        ticket = next(mine, None)
        return self._told(ticket) if ticket is not None else None

    def veiled(self, subject: str) -> Self:
        """Return a ticket without what only those who work the incident may know."""
        title = f"{subject} is TLP:RED: read it in the console"
        return self.model_copy(update={"title": title, "text": ""})

    @property
    def _host(self) -> str:
        return str(urlsplit(self.api).hostname)

    def _ask(self, world: World, method: str, query: str, body: bytes | None = None) -> object:
        """Return what the tracker answers, as JSON."""
        project = self.project
        if self.tracker is Tracker.GITLAB:
            project = quote(project, safe="")
        url = f"{self.api.rstrip('/')}{APIS[self.tracker].path.format(project=project)}{query}"
        written = {"Authorization": self.authorization} if self.authorization else {}
        ours = {"Accept": "application/json", "User-Agent": "commonwatch"}
        if body is not None:
            ours["Content-Type"] = "application/json"
        return exchange(
            world,
            method,
            url,
            written,
            ours,
            body,
            good=GOOD,
            seconds=SECONDS,
            read=lambda answer, secrets: scrubbed(json_of(answer.body), secrets),
            most=MOST,
        )

    def _told(self, ticket: object) -> dict[str, object]:
        api = APIS[self.tracker]
        told = {"ticket": _get(ticket, api.number), "url": _get(ticket, api.link)}
        if told["ticket"] is None:
            raise OSError(f"{self._host} answered with no ticket: nothing at {api.number}")
        return told


def _get(found: Any, key: str) -> object:  # noqa: ANN401 - any JSON
    return found.get(key) if isinstance(found, dict) else None


def _mark(world: World) -> str:
    """Return what tells the ticket of this step from all others."""
    return f"Commonwatch {sha256(world.key.encode()).hexdigest()[:24]}"
