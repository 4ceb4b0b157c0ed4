"""Learn models anew by the clock, in a process of its own: windows and runs never wait for it."""

import subprocess
import sys
from datetime import datetime
from pathlib import Path

from sqlmodel import Session, col, update

from soc.app.suite import Suite
from soc.content.kinds import duration_text
from soc.errors import NotFound
from soc.incidents.record import record
from soc.intelligence import registry
from soc.intelligence.models import catalog
from soc.model.finding import about_suite
from soc.model.value import Entity, EntityKind, Severity, bucket_of
from soc.settings import Retrain
from soc.store.locks import put_new
from soc.store.session import reading, session
from soc.store.tables import Schedule

FAILED = "soc-retrain-failed"
LAST_WORDS = 500
"""Characters of what a failed one said."""


class Retraining:
    """Starts what is due, one at a time, and tells what failed."""

    def __init__(self, suite: Suite) -> None:
        self._suite = suite
        self._child: subprocess.Popen[bytes] | None = None
        self._task = ""

    def look(self) -> list[str]:
        """Start the first that is due, if none is running; return the tasks that failed."""
        failed: list[str] = []
        if self._child and (code := self._child.poll()) is not None:
            with self._child:
                self._child = None
            if code:
                self._tell(code)
                failed = [self._task]
        if self._child is None:
            due = (one for one in self._suite.settings.intelligence.retrain if self._claim(one))
            if (one := next(due, None)) is not None:
                self._start(one.task)
        return failed

    def _claim(self, one: Retrain) -> bool:
        """Return whether this worker is the one that learns it now."""
        now, key = self._suite.clock.now(), f"retrain:{one.task}"
        with session(self._suite.database) as writing:
            row = _row(writing, key, duration_text(one.every), now)
            if row.due > now:
                return False
            mine = col(Schedule.playbook) == key, col(Schedule.due) == row.due
            moved = writing.execute(update(Schedule).where(*mine).values(due=now + one.every))
            return bool(moved.rowcount == 1)  # type: ignore[attr-defined]  # of an UPDATE it is there

    def _start(self, task: str) -> None:
        self._task = task
        words = (sys.executable, "-m", "soc.cli.main", "intelligence", "retrain", task)
        self._said.parent.mkdir(exist_ok=True)
        with self._said.open("wb") as said:
            self._child = subprocess.Popen(  # noqa: S603 - our own command
                [*words, "--home", str(self._suite.home.path)],
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=said,
            )

    @property
    def _said(self) -> Path:
        return self._suite.home.path / "intelligence" / "retrain.log"

    def _tell(self, code: int) -> None:
        now = self._suite.clock.now()
        said = self._said.read_text(errors="replace").strip().rpartition("\n")[2][:LAST_WORDS]
        finding = about_suite(
            FAILED,
            f"The model {self._task} could not be learned anew",
            Entity(kind=EntityKind.SOURCE, value=f"model {self._task}"),
            Severity.MEDIUM,
            bucket_of(now, self._suite.settings.detect.bucket),
            now,
            said or f"it ended with {code}",
        )
        with session(self._suite.database) as writing:
            record(writing, [finding], {}, now, self._suite.settings.incidents)


def again(suite: Suite, task: str) -> None:
    """Build the view, learn *task* as settings say, and score with its champion, if there is one.

    Raises NotFound for a task that settings do not name, and what building and learning do.
    """
    from soc.app.learning import Question, score, train  # defers scikit-learn
    from soc.app.studies import build_view

    wanted = suite.settings.intelligence.retrain
    one = next((given for given in wanted if given.task == task), None)
    if one is None:
        raise NotFound("intelligence.retrain", task)
    build_view(suite)
    asked = Question(
        task=one.task,
        window=one.window,
        moments=one.moments,
        above=one.above,
        without=one.without,
        models=one.models or tuple(catalog.MAKERS),
    )
    train(suite, asked, "soc")
    with reading(suite.database) as looking:
        has_champion = registry.champion(looking, task) is not None
    if has_champion:
        score(suite, task)


def _row(writing: Session, key: str, spec: str, now: datetime) -> Schedule:
    """Return when *key* is due; a new one is due at once, one of another rhythm as well."""
    put_new(writing, Schedule(playbook=key, spec=spec, due=now))
    row = writing.get_one(Schedule, key)
    if row.spec != spec:
        row.spec, row.due = spec, now
        writing.add(row)
        writing.flush()
    return row
