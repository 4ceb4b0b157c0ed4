"""The wired suite, as every process of an installation makes it for itself.

Heavy parts are imported where they are made: a command pays only for what it uses.
"""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Any

from soc import plugins
from soc.app import home
from soc.clock import Clock, SystemClock
from soc.errors import LogError
from soc.model.value import rfc3339
from soc.settings import OpenSearch, Settings, environment
from soc.settings import read as read_settings

POLICY = "qf"
"""The policy of retention that is in force."""

SHOWN = ("seq", "ts", "source", "dataset", "action", "outcome", "wallet", "user_name", "message")
"""What searches of playbooks find of an event."""

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from sqlmodel import Session

    from soc.app.content import Playbooks, Sources
    from soc.app.home import Home
    from soc.app.sharding import Shards
    from soc.detect.detector import Detector, Mode
    from soc.detect.rules import Rules
    from soc.detect.sigma.cache import RuleCache
    from soc.incidents.record import Change
    from soc.ingest.parse import Intake
    from soc.logs.port import OpenLog
    from soc.logs.reader import LogReader
    from soc.respond.action import Action
    from soc.respond.engine import Engine
    from soc.respond.messages import Messenger
    from soc.respond.outward import Outward
    from soc.respond.playbook import Playbook
    from soc.respond.secrets import Secrets
    from soc.respond.turn import Means
    from soc.retain.classify import Classifier
    from soc.retain.policy import Policy
    from soc.store.session import Database
    from soc.watch.tick import Watch


class Suite:
    """One process's view of an installation; heavy parts are made when first asked for."""

    def __init__(self, home_path: Path, clock: Clock | None = None) -> None:
        self.home: Home = home.find(home_path)
        self.clock: Clock = clock or SystemClock()
        self.settings: Settings = read_settings(self.home.settings)
        self.on_queued: Callable[[], None] = lambda: None
        """What this process does when it has queued runs: they need not wait for their time."""

    @property
    def store_url(self) -> str:
        """Where the store is, with its password: not to be shown."""
        given = self.settings.store.url
        return given.get_secret_value() if given else self.home.database

    @cached_property
    def database(self) -> Database:
        """The store."""
        from soc.store.session import connect  # SQLAlchemy

        return connect(self.store_url)

    @cached_property
    def reader(self) -> LogReader:
        """The event store, to read."""
        from soc.logs.reader import LogReader  # pyarrow

        if self.settings.opensearch.urls:
            from soc.logs.opensearch.cluster import Cluster  # the extra of that name
            from soc.logs.opensearch.reader import OpenSearchReader

            return OpenSearchReader(self.home.events, Cluster(self._remote), self._shards.published)
        return LogReader(self.home.events)

    @property
    def stored(self) -> LogReader | None:
        """The event store, or None before there is any event."""
        has_events = self.settings.opensearch.urls or self.home.events.is_dir()
        return self.reader if has_events else None

    @cached_property
    def _shards(self) -> Shards:
        from soc.app.sharding import Shards  # SQLAlchemy

        return Shards(self.database, self.clock)

    @property
    def _remote(self) -> OpenSearch:
        given = self.settings.opensearch
        return given.model_copy(update={"ca": given.ca and self.home.path / given.ca})

    def log(self) -> OpenLog:
        """Open the event store to write; raises LogError while another process does."""
        home.modernise(self.home)
        if self.settings.opensearch.urls:
            from soc.logs.opensearch.store import OpenSearchLog  # the extra of that name

            parts = (self.settings.logs, self._remote, self.clock)
            shards = (self._shards.take, self._shards.published)
            return OpenSearchLog(self.home.events, *parts, *shards)
        from soc.logs.embedded import EmbeddedLog  # pyarrow
        from soc.logs.opensearch.shipped import NAME  # as above

        if (self.home.events / NAME).exists():
            raise LogError(
                f"{self.home.events}: its events are on OpenSearch: write opensearch.urls again"
            )
        return EmbeddedLog(self.home.events, self.settings.logs, self.clock)

    @cached_property
    def intake(self) -> Intake:
        """What asks all parsers."""
        from soc.ingest.parse import Intake  # pyarrow

        return Intake(self.parsers)

    @cached_property
    def parsers(self) -> dict[str, Any]:
        """All parsers: those of the site's source files first, each instead of one of its name."""
        from soc.ingest.sources.parser import parser_of  # pyarrow

        own = {name: parser_of(source) for name, source in self.sources.usable.items()}
        installed = plugins.load("soc.parsers").items()
        return {**own, **{name: kind() for name, kind in installed if name not in own}}

    @cached_property
    def sources(self) -> Sources:
        """The site's source files."""
        from soc.app import content  # Jinja2

        return content.sources(self.home)

    @cached_property
    def classify(self) -> Classifier:
        """What gives each event its class of retention; raises ContentError for a broken policy.

        What a source file says counts where the policy has no class of its own for an event.
        """
        from soc.retain.classify import Classifier

        hints = {name: source.hint for name, source in self.sources.usable.items()}
        return Classifier(self.policy, hints)

    @cached_property
    def policy(self) -> Policy:
        """The policy of retention that is in force; raises ContentError for a broken one."""
        from soc.content import folders
        from soc.retain.load import read_policy

        paths, _ = folders.overlay([folders.packaged("retention"), self.home.content("retention")])
        return read_policy(next(path for path in paths if path.stem == POLICY))

    @cached_property
    def actions(self) -> Mapping[str, type[Action]]:
        """All actions, by name."""
        return plugins.load("soc.actions")

    @cached_property
    def playbooks(self) -> Playbooks:
        """All playbooks."""
        from soc.app import content  # Jinja2

        policy = self.settings.respond
        return content.playbooks(self.home, self.actions, self.settings.contacts, policy)

    @cached_property
    def rules(self) -> Rules:
        """The detector that holds all Sigma rules."""
        return self.read_rules()

    def read_rules(self) -> Rules:
        """Read all Sigma rules anew, which leaves those that others use as they are."""
        from soc.app import content  # pySigma
        from soc.detect.rules import Rules
        from soc.detect.sigma.load import load_rules

        every = content.every_rule_file(self.settings, self.home)
        lists = [self.home.content("placeholders.yml")]
        kept, held, detect = self._compiled, self.lists(), self.settings.detect
        ruleset = load_rules(every, detect.pipelines, kept, placeholders=lists, lists=held)
        return Rules(ruleset, detect)

    def lists(self) -> Mapping[str, tuple[str, ...]]:
        """Return the values that imported lists hold now: placeholders of rules."""
        from soc.store import indicators  # SQLAlchemy
        from soc.store.session import reading

        with reading(self.database) as looking:
            return indicators.values(looking, self.clock.now())

    @cached_property
    def _compiled(self) -> RuleCache:
        from soc.detect.sigma.cache import RuleCache  # msgspec

        return RuleCache(self.home.path / "cache")

    def forget_rules(self) -> None:
        """Read rules anew when they are needed next."""
        for name in ("rules", "_monitored", "modes", "slugs", "detectors"):
            self.__dict__.pop(name, None)

    @cached_property
    def _monitored(self) -> tuple[Path, ...]:
        from soc.app import content  # Jinja2

        return content.monitored(self.settings, self.home, "monitor")

    @cached_property
    def modes(self) -> dict[str, Mode]:
        """What rules of further folders may do: at first, only be watched."""
        from soc.detect.detector import Mode  # pyarrow

        watched = set(self._monitored)
        every = [*self.rules.ruleset.rules, *self.rules.ruleset.correlations]
        return {rule.name: Mode.MONITOR for rule in every if rule.path in watched}

    @cached_property
    def slugs(self) -> dict[str, str]:
        """Every rule's slug, by slug and by UUID; detectors' own rules among them."""
        every = [*self.rules.ruleset.rules, *self.rules.ruleset.correlations]
        models = {rule: rule for detector in self.models.values() for rule in detector.rules}
        return (
            models
            | {rule.id: rule.name for rule in every if rule.id}
            | {r.name: r.name for r in every}
        )

    def slug_of(self, rule: str) -> str | None:
        """Return the slug of *rule*, given by slug or UUID; None if there is no such rule."""
        return self.slugs.get(rule)

    @cached_property
    def models(self) -> dict[str, Detector[Any]]:
        """Every detector but the one of Sigma rules."""
        found = plugins.load("soc.detectors").items()
        return {name: kind(self.settings.detect) for name, kind in found}

    @cached_property
    def detectors(self) -> dict[str, Detector[Any]]:
        """Every detector, the Sigma rules among them."""
        return {"sigma": self.rules, **self.models}

    def watch(self) -> Watch:
        """Return what moves the detectors."""
        from soc.detect.sigma.asked import fields_of
        from soc.logs.promote import announce
        from soc.watch.tick import Watch  # SQLAlchemy and pyarrow

        announce(self.home.events, fields_of(self.rules.ruleset))
        parts = (self.reader, self.database, self.clock, self.settings)
        return Watch(*parts, self.detectors, self.modes, self.follow())

    def engine(self) -> Engine:
        """Return this process's hands."""
        from soc.respond.engine import Engine  # SQLAlchemy and Jinja2

        owner = f"{os.uname().nodename}:{os.getpid()}"
        return Engine(self.database, self.clock, self.settings.respond, self.means, owner)

    @cached_property
    def means(self) -> Means:
        """All that runs work with."""
        from soc.respond.hands import LiveHands  # SQLAlchemy and Jinja2
        from soc.respond.turn import Means

        return Means(
            actions=self.actions,
            notifier=self.messenger,
            http=self.outward,
            search=self.search,
            evidence=self.home.evidence,
            secret=self.secrets.get,
            playbook=self.playbook,
            hands=LiveHands(),
            console=self.settings.web.url.rstrip("/"),
        )

    def search(
        self, query: str, since: datetime, until: datetime, limit: int
    ) -> list[Mapping[str, object]]:
        """Return stored events as lists show them, newest first; raises QueryError."""
        from soc.logs.filter import parse  # pyarrow
        from soc.logs.port import Search

        rows = self.reader.search(Search(parse(query), since, until, limit))
        return [
            {**{name: row.get(name) for name in SHOWN}, "ts": rfc3339(row["ts"])} for row in rows
        ]

    def playbook(self, name: str) -> Playbook | None:
        """Return the playbook called *name*, if there is one that can be used."""
        return next((one for one in self.playbooks.usable if one.name == name), None)

    @property
    def outward(self) -> Outward:
        """The one way of playbooks to the outside."""
        from soc.respond.outward import Outward  # requests

        policy = self.settings.respond
        ca = policy.outward_ca and self.home.path / policy.outward_ca
        return Outward(policy.outward, ca)

    @cached_property
    def messenger(self) -> Messenger:
        """What reaches people; raises SettingsError for a channel that cannot be used."""
        from soc.respond.channels import Channels  # SQLAlchemy
        from soc.respond.messages import Messenger
        from soc.respond.notifier import Outbox

        contacts = self.settings.contacts
        return Messenger(Outbox(self.home.outbox), contacts, Channels(contacts), self.database)

    @property
    def secrets(self) -> Secrets:
        """The secrets that playbooks may use."""
        from soc.respond.secrets import Secrets

        return Secrets(self.settings.secrets, environment(), self.home.path)

    def follow(self) -> Callable[[Session, tuple[Change, ...], Any], None]:
        """Return what follows from changed incidents, in the transaction that changed them."""
        from sqlalchemy import event

        from soc.audit import Act, record  # SQLAlchemy
        from soc.respond.trigger import trigger

        playbooks = self.playbooks.usable

        def follow(writing: Session, changes: tuple[Change, ...], now: Any) -> None:  # noqa: ANN401 - a moment
            for change in changes:
                verb = "incident.open" if change.opened else "incident.grow"
                act = Act(at=now, actor="soc", action=verb, object=f"incident:{change.incident}")
                record(writing, act)
            numbers = (change.incident for change in changes)
            if trigger(writing, numbers, playbooks, now):
                event.listen(writing, "after_commit", lambda _: self.on_queued(), once=True)

        return follow
