"""What an action reaches when it really runs."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import orjson
from sqlmodel import Session, col, select

from soc.errors import Illegal
from soc.incidents import lifecycle, notes
from soc.model.value import Severity
from soc.respond import approvals, labels, ledger, snapshots, stopping
from soc.respond.action import Hold, Http
from soc.respond.notifier import Notifier
from soc.store.tables import Effect, Run

Search = Callable[[str, datetime, datetime, int], list[Mapping[str, object]]]
"""Finds stored events: a query, since when, until when, how many."""


class LocalWorld:
    """For actions that commit with their step: the ledger and the incident."""

    def __init__(
        self,
        session: Session,
        run: Run,
        path: str,
        action: str,
        until: datetime | None,
        now: datetime,
        *,
        asked: bool = True,
        evidence: Path | None = None,
    ) -> None:
        self._session, self._run, self._path, self._action = session, run, path, action
        self._until, self._now, self._asked = until, now, asked
        self._evidence = evidence

    @property
    def key(self) -> str:
        """Return the effect's id: the same step of the same run always has the same."""
        return key_of(self._run, self._path)

    @property
    def until(self) -> datetime | None:
        """Return when the effect ends."""
        return self._until

    @property
    def http(self) -> Http:
        """Refuse: what was asked cannot be taken back with a transaction."""
        raise Illegal(f"{self._action} is local and must not ask the outside")

    def search(self, query: str, since: timedelta, limit: int) -> list[Mapping[str, object]]:
        """Refuse: a search is not for a transaction."""
        raise Illegal(f"{self._action} is local and must not search {query!r} {since} {limit}")

    def snapshot(self) -> Mapping[str, object]:
        """Keep what the incident rests on."""
        if self._evidence is None:
            raise Illegal("there is no folder for evidence here")
        return snapshots.keep(self._session, self._incident, self._evidence)

    def enforce(self, hold: Hold) -> None:
        """Put *hold* in force."""
        stopping.require_running(self._session)
        effect = ledger.effect_of(self.key, self._run, self._path, self._action, hold, self._now)
        effect.until = self._until
        agreed = approvals.agreed_by(self._session, self._run.id or 0, hold) if self._asked else []
        effect.approvers_json = orjson.dumps(agreed).decode()
        ledger.enforce(self._session, effect, self._now)

    def lift(self) -> None:
        """End what this step put in force."""
        by = f"RUN-{self._run.id}"
        ledger.lift(self._session, self.key, by, self._now, f"{self._action} was undone")

    def lift_step(self, step: str) -> int:
        """End what an earlier step of this run put in force."""
        query = select(Effect).where(
            col(Effect.run) == self._run.id, col(Effect.state).in_(ledger.FOLLOWED)
        )
        found = [e for e in self._session.exec(query) if e.path.partition("[")[0] == step]
        by, why = f"RUN-{self._run.id}", f"{self._action} of its own run"
        for effect in sorted(found, key=lambda effect: effect.id):
            if effect.kind != effect.action:
                ledger.lift(self._session, effect.id, by, self._now, why)
        outside = [effect for effect in found if effect.kind == effect.action]
        ledger.ask_rollback(self._session, outside, by, why, self._now)
        return len(found)

    def label(self, subject: str, label: str) -> None:
        """Put a label on *subject*."""
        labels.put(self._session, subject, label, self._actor, self._run.incident, self._now)

    def update(self, *, severity: Severity | None, owner: str | None) -> None:
        """Change the incident."""
        incident = self._incident
        if severity is not None:
            lifecycle.rate(self._session, incident, severity, self._actor, self._now)
        if owner is not None and lifecycle.get(self._session, incident).owner != owner:
            lifecycle.assign(self._session, incident, owner, self._actor, self._now)

    def note(self, text: str) -> None:
        """Write on the incident."""
        incident, actor = self._incident, self._actor
        notes.annotate(self._session, incident, text, actor, self._now, self.key)

    @property
    def _actor(self) -> str:
        return f"playbook:{self._run.playbook}"

    @property
    def _incident(self) -> int:
        if self._run.incident is None:
            raise Illegal("this run has no incident to write on")
        return lifecycle.root(self._session, self._run.incident)

    def notify(self, to: tuple[str, ...], title: str, text: str) -> None:
        """Refuse: a message cannot be taken back with a transaction."""
        raise Illegal(f"{self._action} is local and must not send {title!r} to {to}: {text}")


class OutsideWorld:
    """For actions that reach beyond the store, outside any transaction."""

    def __init__(
        self,
        key: str,
        notifier: Notifier,
        now: datetime,
        http: Http | None = None,
        search: Search | None = None,
        linked: Callable[[str], str] = str,
    ) -> None:
        self._key, self._notifier, self._now, self._http = key, notifier, now, http
        self._search, self._linked = search, linked

    @property
    def key(self) -> str:
        """Return the idempotency key."""
        return self._key

    @property
    def until(self) -> datetime | None:
        """Return None: nothing is in force."""
        return None

    @property
    def http(self) -> Http:
        """Return the way to the outside; raises Illegal where there is none."""
        if self._http is None:
            raise Illegal("nothing outside can be asked from here")
        return self._http

    def search(self, query: str, since: timedelta, limit: int) -> list[Mapping[str, object]]:
        """Return stored events; raises Illegal where none are stored."""
        if self._search is None:
            raise Illegal("no events can be searched from here")
        return self._search(query, self._now - since, self._now, limit)

    def snapshot(self) -> Mapping[str, object]:
        """Refuse: evidence is kept with its step."""
        raise Illegal("only a local action may keep evidence")

    def enforce(self, hold: Hold) -> None:
        """Refuse: what is in force commits with its step."""
        raise Illegal(f"only a local action may hold {hold.subject} back")

    def lift(self) -> None:
        """Refuse, as with enforce."""
        raise Illegal("only a local action may lift")

    def lift_step(self, step: str) -> int:
        """Refuse, as with enforce."""
        raise Illegal(f"only a local action may lift what {step} did")

    def label(self, subject: str, label: str) -> None:
        """Refuse: a label commits with its step."""
        raise Illegal(f"only a local action may label {subject} as {label}")

    def update(self, *, severity: Severity | None, owner: str | None) -> None:
        """Refuse: a change of the incident commits with its step."""
        raise Illegal(f"only a local action may change the incident: {severity}, {owner}")

    def note(self, text: str) -> None:
        """Refuse: a note commits with its step."""
        raise Illegal(f"only a local action may write on the incident: {text}")

    def notify(self, to: tuple[str, ...], title: str, text: str) -> None:
        """Hand a message over."""
        self._notifier.send(self._key, to, title, self._linked(text), self._now)


def key_of(run: Run, path: str) -> str:
    """Return what the step at *path* of *run* is called outside: ``EF-12-limit-3``."""
    return f"EF-{run.id}-{path.replace('[', '-').removesuffix(']')}"
