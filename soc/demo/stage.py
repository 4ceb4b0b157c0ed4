"""Set a stage for the demo: a home with short windows, people and tokens, and the processes."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from soc.access import accounts, keys
from soc.access.permissions import Role
from soc.app import home as homes
from soc.app.experiments import create
from soc.app.suite import Suite
from soc.errors import HomeError
from soc.intelligence.experiments import book
from soc.intelligence.experiments.design import Design
from soc.store.session import session

DAY = 6
"""Seconds of wall time that stand for one day of the round."""
SETTINGS = f"""\
# A round of two weeks in a minute and a half: what lasts days elsewhere lasts seconds here.
logs: {{seal_rows: 2000, seal_after: 20s}}
detect:
  every: 0.5
  lateness: 2s
  bucket: {2 * DAY}s
  tuning:
    qf-api-abuse: {{timespan: 10s, bucket: 60s}}
    qf-admin-bruteforce: {{timespan: 6s, bucket: 60s}}
    qf-indexer-lag: {{timespan: 3s, bucket: 60s}}
    qf-unmatched-donation: {{timespan: {DAY}s, bucket: 60s}}
respond:
  mode: contain
  approval_expires: {4 * DAY}s
  ttl:
    qf-sybil-containment/limit: {5 * DAY}s
    qf-sybil-containment/quarantine: {14 * DAY}s
    qf-api-abuse/limit: {3 * DAY}s
"""
TOKENS = (
    ("platform", "ingest", None),
    ("edge", "authz", None),
    ("rhea", "respond", "rhea"),
    ("viewer", "read", None),
)
PATIENCE = 30
PLANNER = "soc"


@dataclass(frozen=True, slots=True)
class Stage:
    """A home that is ready to play in."""

    home: Path
    password: str

    def token(self, name: str) -> Path:
        """Return the file that holds a token."""
        return self.home / "tokens" / name


def prepare(home: Path) -> Stage:
    """Make the demo's home at *home*; raises HomeError if something is there."""
    homes.create(home)
    (home / "settings.yml").write_text(SETTINGS)
    suite = Suite(home)
    now = suite.clock.now()
    with session(suite.database) as writing:
        password = accounts.add(writing, "admin", frozenset({Role.ADMIN, Role.APPROVER}), now)
        accounts.add(writing, "rhea", frozenset({Role.RESPONDER, Role.APPROVER}), now)
        secrets = {
            name: keys.create_token(writing, name, scope, user, now) for name, scope, user in TOKENS
        }
    _plan_experiment(suite)
    stage = Stage(home, password)
    stage.token("").mkdir(mode=0o700)
    for name, secret in secrets.items():
        stage.token(name).write_text(secret + "\n")
        stage.token(name).chmod(0o600)
    return stage


def _plan_experiment(suite: Suite) -> None:
    """Let the platform show three variants of its projects page.

    The crowd gives as its plan says, whatever it is shown: no difference is to be found.
    """
    design = Design(
        name="projects-page",
        title="Do recommended projects, or those of similar donors, bring more gifts?",
        owner="role:funding",
        arms={"default": 1, "recommended": 1, "same-cluster": 1},
        metric="gifts",
        units=120,
        guardrails=("amount-per-gift",),
        looks=(0.5, 1.0),
    )
    create(suite, design, PLANNER)
    with session(suite.database) as writing:
        book.start(writing, design.name, "the round opens", PLANNER, suite.clock.now())


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run *command*, its errors in *log*, until the block ends; wait for its line ``ready``."""
    with log.open("ab") as errors:
        process = subprocess.Popen(  # noqa: S603 - our own commands
            [sys.executable, "-m", *command],
            stdout=subprocess.PIPE,
            stderr=errors,
            env=_environment(),
        )
    try:
        yield process
    finally:
        stop(process)


def ready(process: subprocess.Popen[bytes]) -> str:
    """Return the address that *process* prints when it is ready; raises HomeError if it ends."""
    assert process.stdout is not None  # noqa: S101 - it was opened as a pipe
    for line in process.stdout:
        word, _, address = line.decode().strip().partition(" ")
        if word == "ready":
            return address
    raise HomeError(f"{process.args!r} ended before it was ready: read its log in the home")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End *process*, gently at first."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout:
        process.stdout.close()


def _environment() -> dict[str, str]:
    """Return the environment without settings of whoever plays: the demo has its own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SOC_")}
