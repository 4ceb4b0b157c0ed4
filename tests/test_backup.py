"""A backup made at work is whole, is proven, names its damage, and becomes a home that goes on."""

import itertools
import json
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest
import requests

from soc.access import keys
from soc.app.backup.create import create
from soc.app.backup.manifest import NAME, SEAL
from soc.app.backup.restore import restore
from soc.app.backup.verify import opened, problems
from soc.app.suite import Suite
from soc.audit import Act, is_whole, newest, number, record
from soc.cli import main
from soc.clock import SettableClock
from soc.errors import BackupError
from soc.logs.embedded import EmbeddedLog
from soc.logs.reader import LogReader
from soc.model.event import Row, to_table
from soc.store import transfer
from soc.store.engine import engine_of
from soc.store.session import session
from soc.store.tables import Incident
from tests import stores
from tests.servers.postgres import Postgres
from tests.web import story
from tests.web.serving import serving

Harm = Callable[[Path], object]


def add(log: EmbeddedLog, clock: SettableClock, count: int) -> int:
    """Append *count* events; return the last number."""
    rows = [Row(clock.now(), f'{{"n": {n}}}', "ecs") for n in range(count)]
    last = log.append(to_table(rows, "src", clock.now(), ["default"] * count)).last
    assert last is not None
    return last


@pytest.fixture
def log(suite: Suite) -> Iterator[EmbeddedLog]:
    """The event store of a home, with a sealed segment and a tail."""
    log = suite.log()
    add(log, SettableClock(suite.clock.now()), 20)
    log.seal()
    add(log, SettableClock(suite.clock.now()), 5)
    yield log
    log.close()


@pytest.fixture
def backup(suite: Suite, log: EmbeddedLog, tmp_path: Path) -> Path:
    """A backup, as a folder."""
    create(suite, tmp_path / "backup", "os:me")
    return tmp_path / "backup"


def flip(path: Path) -> None:
    """Change one bit in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_backup_taken_while_all_is_written_becomes_a_home_that_goes_on(
    suite: Suite, log: EmbeddedLog, clock: SettableClock, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, store_url: str, restored_url: str | None,
) -> None:  # fmt: skip
    acknowledged, acts, stop = [25], [0], Event()

    def write() -> None:
        for n in itertools.count(1):
            acknowledged.append(add(log, clock, 40))
            if n % 10 == 0:
                log.seal()
            with session(suite.database) as writing:
                act = Act(at=clock.now(), actor="a", action="b", object=f"c:{n}")
                record(writing, act)
            acts.append(n)
            if stop.wait(0.01):
                return

    writer = Thread(target=write)
    writer.start()
    try:
        while len(acts) < 5:
            stop.wait(0.01)
        before = (acknowledged[-1], acts[-1])
        made = create(suite, tmp_path / "backup.tar", "os:me")
        after = (acknowledged[-1], acts[-1])
    finally:
        stop.set()
        writer.join()

    with opened(tmp_path / "backup.tar") as place:
        assert problems(place) == []
    assert before[0] <= made.last_seq <= after[0] + 40
    monkeypatch.delenv("SOC_STORE__URL")
    restore(tmp_path / "backup.tar", tmp_path / "restored", restored_url, "os:me", clock)
    again = Suite(tmp_path / "restored", clock)
    seqs = list(range(1, made.last_seq + 1))
    assert again.reader.events(seqs).equals(suite.reader.events(seqs))
    with session(again.database) as looking:
        number(looking)
        assert is_whole(looking)
        told = [act["object"] for act in newest(looking, 10_000) if act["action"] == "b"]
    assert before[1] <= len(told) <= after[1] + 1
    writing_on = again.log()
    assert add(writing_on, clock, 1) == made.last_seq + 1
    writing_on.close()
    again.database.dispose()


@contextmanager
def served(home: Path) -> Iterator[str]:
    """Serve *home* by a front door of its own; give the address."""
    with serving(home, "--port", "0", command="front") as door:
        yield door.ready[0]


def test_a_served_home_is_backed_up_and_its_copy_is_served_with_the_next_numbers(
    home: Path, tmp_path: Path, clock: SettableClock
) -> None:
    suite = Suite(home)
    with session(suite.database) as writing:
        secret = keys.create_token(writing, "shipper", "ingest", None, clock.now())

    def send(address: str, count: int) -> None:
        lines = [f'{{"create": {{}}}}\n{{"message": "gift {n}"}}\n' for n in range(count)]
        headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/x-ndjson"}
        body = "".join(lines)
        answer = requests.post(f"{address}/logs/_bulk", body, headers=headers, timeout=30)
        answer.raise_for_status()

    stop, sent = Event(), []

    def ship(address: str) -> None:
        while not stop.wait(0.02):
            send(address, 25)
            sent.append(25)

    with served(home) as address:
        shipper = Thread(target=ship, args=(address,))
        shipper.start()
        while len(sent) < 3:
            stop.wait(0.05)
        before = sum(sent)
        made = create(suite, tmp_path / "backup", "os:me")
        stop.set()
        shipper.join()
    restore(tmp_path / "backup", tmp_path / "new", None, "os:me", clock)
    with served(tmp_path / "new") as address:
        send(address, 5)

    suite.database.dispose()
    again = LogReader(tmp_path / "new" / "events")
    assert made.last_seq >= before
    assert again.view().upto == made.last_seq + 5
    seqs = list(range(1, made.last_seq + 1))
    assert again.events(seqs).equals(suite.reader.events(seqs))


@pytest.fixture
def restored_url(request: pytest.FixtureRequest, store_url: str) -> Iterator[str | None]:
    """Where a restored store goes: from PostgreSQL into another one, else into the home."""
    if not store_url.startswith("postgresql"):
        yield None
        return
    server: Postgres = request.getfixturevalue("postgres")
    with server.fresh() as url:
        yield url


def test_a_restored_store_holds_the_rows_of_the_old_one(
    tmp_path: Path, clock: SettableClock
) -> None:
    with story.opened(tmp_path / "home") as site:
        suite = site.front.suite
        made = create(suite, tmp_path / "backup", "os:me")
        with session(suite.database) as writing:
            writing.get_one(Incident, 1).title = "after the backup"

    restore(tmp_path / "backup", tmp_path / "restored", None, "os:me", clock)

    database = engine_of(f"sqlite:///{tmp_path}/restored/store.db")
    held = {one.table: one for one in transfer.held(database)}
    database.dispose()
    different = {one.table for one in made.tables if held[one.table] != one}
    assert different == {"audit"}  # which tells of the restoring
    rejects = LogReader(tmp_path / "restored" / "events").count_rejects()
    assert rejects == LogReader(tmp_path / "home" / "events").count_rejects() > 0


@pytest.mark.parametrize(
    "part", ["settings.yml", "format", "store.db", "/wal/", "/chain/", "/seg/", "rules/own.yml"]
)
@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (flip, "is not what was written"),
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "bytes long, not"),
    ],
    ids=["a bit flipped", "missing", "cut short"],
)
def test_each_damaged_file_is_named(
    tmp_path: Path, clock: SettableClock, part: str, harm: Harm, told: str
) -> None:
    home = stores.home(tmp_path / "home")
    (home.content("rules") / "own.yml").write_text("title: mine\n")
    suite = Suite(home.path, clock)
    log = suite.log()
    add(log, clock, 20)
    log.seal()
    add(log, clock, 5)
    create(suite, tmp_path / "backup", "os:me")
    log.close()
    suite.database.dispose()
    files = (path for path in (tmp_path / "backup" / "home").rglob("*") if path.is_file())
    path = next(path for path in sorted(files) if part in path.as_posix())

    harm(path)

    (problem,) = problems(tmp_path / "backup")
    assert problem.startswith(f"{path.relative_to(tmp_path / 'backup')}: ")
    assert told in problem
    with pytest.raises(BackupError, match=told):
        restore(tmp_path / "backup", tmp_path / "new", None, "os:me", clock)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", [NAME, SEAL])
@pytest.mark.parametrize(
    "harm", [flip, lambda path: path.unlink()], ids=["a bit flipped", "missing"]
)
def test_a_damaged_manifest_is_named(backup: Path, name: str, harm: Harm) -> None:
    harm(backup / name)

    (problem,) = problems(backup)
    assert name in problem


def test_a_file_that_was_added_is_named(backup: Path) -> None:
    (backup / "home" / "content" / "rules" / "evil.yml").write_text("title: evil\n")

    assert problems(backup) == ["home/content/rules/evil.yml: is not in the manifest"]


@pytest.mark.parametrize("keep", [0.2, 0.6, 0.9])
def test_a_tar_that_was_cut_short_is_not_whole(
    suite: Suite, log: EmbeddedLog, tmp_path: Path, keep: float
) -> None:
    create(suite, tmp_path / "b.tar", "os:me")
    size = (tmp_path / "b.tar").stat().st_size
    with (tmp_path / "b.tar").open("r+b") as file:
        file.truncate(int(size * keep))

    assert damage(tmp_path / "b.tar") != []


def damage(backup: Path) -> list[str]:
    try:
        with opened(backup) as place:
            return problems(place)
    except BackupError as wrong:
        return [str(wrong)]


def test_a_manifest_cannot_point_outside_of_the_new_home(
    backup: Path, tmp_path: Path, clock: SettableClock
) -> None:
    import hashlib

    text = (backup / NAME).read_text().replace('"home/format"', '"home/../../evil"')
    (backup / NAME).write_text(text)
    (backup / SEAL).write_text(hashlib.sha256(text.encode()).hexdigest())

    with pytest.raises(BackupError, match="of another format"):
        restore(backup, tmp_path / "new", None, "os:me", clock)


def test_permissions_are_kept_and_secrets_stay_the_owners(
    suite: Suite,
    log: EmbeddedLog,
    tmp_path: Path,
    clock: SettableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    suite.home.settings.chmod(0o600)
    (suite.home.content("rules") / "shared.yml").write_text("x: 1\n")
    (suite.home.content("rules") / "shared.yml").chmod(0o640)
    create(suite, tmp_path / "b.tar", "os:me")
    monkeypatch.delenv("SOC_STORE__URL")

    restore(tmp_path / "b.tar", tmp_path / "new", None, "os:me", clock)

    def mode(name: str) -> str:
        return oct((tmp_path / name).stat().st_mode & 0o777)

    names = ("b.tar", "new", "new/settings.yml", "new/store.db", "new/content/rules/shared.yml")
    assert [mode(name) for name in names] == ["0o600", "0o700", "0o600", "0o600", "0o640"]
    with tarfile.open(tmp_path / "b.tar") as tar:
        assert {member.mode & 0o007 for member in tar if member.isdir()} == {0}


def test_a_home_that_is_there_is_never_written_over(
    backup: Path, tmp_path: Path, clock: SettableClock
) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "mine").touch()

    with pytest.raises(BackupError, match="holds something"):
        restore(backup, tmp_path / "new", None, "os:me", clock)

    assert [path.name for path in (tmp_path / "new").iterdir()] == ["mine"]


def test_a_store_that_settings_name_is_not_taken_for_the_restored_one(
    suite: Suite,
    log: EmbeddedLog,
    tmp_path: Path,
    clock: SettableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SOC_STORE__URL")
    production = f"sqlite:///{tmp_path}/production.db"
    suite.home.settings.write_text(f"store:\n  url: {production}\nweb:\n  port: 9000\n")
    create(suite, tmp_path / "backup", "os:me")

    with pytest.raises(BackupError, match="give an empty one with --store URL"):
        restore(tmp_path / "backup", tmp_path / "new", None, "os:me", clock)
    other = f"sqlite:///{tmp_path}/other.db"
    restore(tmp_path / "backup", tmp_path / "new", other, "os:me", clock)

    restored = Suite(tmp_path / "new", clock)
    assert restored.store_url == other
    assert restored.settings.web.port == 9000
    assert not (tmp_path / "new" / "store.db").exists()
    assert not (tmp_path / "production.db").exists()


def test_a_backup_is_not_made_over_another_or_inside_its_home(
    suite: Suite, backup: Path, tmp_path: Path
) -> None:
    for out, told in ((backup, "is there already"), (suite.home.path / "b", "lies in the home")):
        with pytest.raises(BackupError, match=told):
            create(suite, out, "os:me")

    assert not list(tmp_path.glob("*.part"))


def test_the_commands_make_prove_and_restore(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def soc(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["soc", *words])
        code = 0
        try:
            main.run()
        except SystemExit as ended:
            code = int(ended.code or 0)
        return code, *capsys.readouterr()

    out, new = str(tmp_path / "b.tar"), str(tmp_path / "new")

    made, said, _ = soc("backup", "create", "--home", str(home), "--out", out, "--json")
    assert (made, json.loads(said)["last_seq"]) == (0, 0)
    assert soc("backup", "verify", out) == (0, f"{out} is whole\n", "")
    assert soc("backup", "restore", out, "--to", new)[0] == 0
    assert soc("check", "--home", new)[0] == 0
    flip(tmp_path / "b.tar")
    code, said, told = soc("backup", "verify", out, "--json")
    assert (code, json.loads(said)["problems"]) == (1, told.splitlines())
    assert soc("backup", "verify", str(tmp_path / "none"))[0] == 1
