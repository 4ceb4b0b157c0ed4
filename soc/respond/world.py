"""What an action reaches when it really runs."""

from datetime import datetime

from sqlmodel import Session

from soc.errors import Illegal
from soc.incidents import lifecycle
from soc.respond import ledger
from soc.respond.action import Hold, Http
from soc.respond.notifier import Notifier
from soc.store.tables import Run


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
    ) -> None:
        self._session, self._run, self._path, self._action = session, run, path, action
        self._until, self._now = until, now

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

    def enforce(self, hold: Hold) -> None:
        """Put *hold* in force."""
        effect = ledger.effect_of(self.key, self._run, self._path, self._action, hold, self._now)
        effect.until = self._until
        ledger.enforce(self._session, effect, self._now)

    def lift(self) -> None:
        """End what this step put in force."""
        ledger.lift(self._session, self.key, f"RUN-{self._run.id}", self._now)

    def note(self, text: str) -> None:
        """Write on the incident."""
        if self._run.incident is None:
            raise Illegal("this run has no incident to write on")
        actor = f"playbook:{self._run.playbook}"
        lifecycle.annotate(self._session, self._run.incident, text, actor, self._now, self.key)

    def notify(self, to: tuple[str, ...], title: str, text: str) -> None:
        """Refuse: a message cannot be taken back with a transaction."""
        raise Illegal(f"{self._action} is local and must not send {title!r} to {to}: {text}")


class OutsideWorld:
    """For actions that reach beyond the store, outside any transaction."""

    def __init__(
        self, key: str, notifier: Notifier, now: datetime, http: Http | None = None
    ) -> None:
        self._key, self._notifier, self._now, self._http = key, notifier, now, http

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

    def enforce(self, hold: Hold) -> None:
        """Refuse: what is in force commits with its step."""
        raise Illegal(f"only a local action may hold {hold.subject} back")

    def lift(self) -> None:
        """Refuse, as with enforce."""
        raise Illegal("only a local action may lift")

    def note(self, text: str) -> None:
        """Refuse: a note commits with its step."""
        raise Illegal(f"only a local action may write on the incident: {text}")

    def notify(self, to: tuple[str, ...], title: str, text: str) -> None:
        """Hand a message over."""
        self._notifier.send(self._key, to, title, text, self._now)


def key_of(run: Run, path: str) -> str:
    """Return what the step at *path* of *run* is called outside: ``EF-12-limit-3``."""
    return f"EF-{run.id}-{path.replace('[', '-').removesuffix(']')}"
