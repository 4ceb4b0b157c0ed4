"""A shard is one home's, held by one process at a time, and never gives a number twice."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from alembic import command
from alembic.config import Config
from sqlmodel import Session, select

from soc.clock import SettableClock
from soc.errors import LogError
from soc.model.shard import SHARDS, first_of
from soc.store import shards, windows
from soc.store.schema import MIGRATIONS
from soc.store.session import Database, reading, session
from soc.store.shards import Claim, Held
from soc.store.tables import DetectorWindow, Shard

LEASE = timedelta(minutes=1)


class Store:
    """What a front door asks of the store, a transaction each."""

    def __init__(self, database: Database, clock: SettableClock) -> None:
        self.database, self.clock = database, clock

    def take(self, home: str, owner: str = "a:1", **more: int) -> Held:
        with session(self.database) as writing:
            return shards.take(writing, Claim(home=home, **more), owner, LEASE, self.clock)

    def renew(self, held: Held, upto: int, complete: datetime | None = None) -> str:
        with session(self.database) as writing:
            reached = (upto, complete or self.clock.now())
            return shards.renew(writing, held, reached, LEASE, self.clock)

    def end(self, shard: int) -> None:
        """Let the lease of *shard* be over, by whichever clock counts."""
        with session(self.database) as writing:
            row = writing.get_one(Shard, shard)
            row.until = datetime(2001, 1, 1, tzinfo=row.until.tzinfo)
            writing.add(row)

    def published(self) -> dict[int, int]:
        with reading(self.database) as looking:
            return shards.published(looking)


@pytest.fixture
def store(database: Database, clock: SettableClock) -> Store:
    return Store(database, clock)


def test_each_home_gets_the_lowest_number_that_nobody_has(store: Store) -> None:
    assert [store.take(home).shard for home in ("a", "b")] == [0, 1]
    assert store.take("d", shard=3).shard == 3
    assert [store.take(home).shard for home in ("c", "e")] == [2, 4]


def test_homes_that_start_together_get_a_shard_each(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda n: store.take(f"home {n}").shard, range(8)))

    assert sorted(taken) == list(range(8))


def test_a_shard_is_refused_while_it_is_held_and_taken_when_the_lease_is_over(
    store: Store,
) -> None:
    first = store.take("a", "machine:1")
    with pytest.raises(LogError, match=r"shard 0 is held by machine:1 until \d{4}-"):
        store.take("a", "machine:2")

    store.end(0)
    second = store.take("a", "machine:2")

    assert (second.shard, second.fence) == (0, first.fence + 1)
    assert store.renew(first, 5) == "machine:2"
    assert store.renew(second, 7) == ""
    assert store.published() == {0: 7}


def test_who_lets_go_can_be_followed_at_once(store: Store) -> None:
    held = store.take("a", "machine:1")
    with session(store.database) as writing:
        shards.renew(writing, held, (4, store.clock.now()), timedelta(), store.clock)

    assert store.take("a", "machine:2", upto=4).fence == 2


def test_a_lease_that_is_over_is_renewed_as_long_as_nobody_took_the_shard(store: Store) -> None:
    held = store.take("a")
    store.end(0)

    assert store.renew(held, 3) == ""
    with pytest.raises(LogError, match="is held by"):
        store.take("a", "other")


def test_what_is_known_of_a_shard_stays_when_its_home_is_gone(store: Store) -> None:
    store.renew(store.take("a"), 9)
    store.end(0)

    assert store.take("b").shard == 1
    assert store.published() == {0: 9, 1: first_of(1)}


WRONG: dict[str, tuple[Claim, str]] = {
    "the shard of another home": (Claim(home="b", shard=0), "shard 0 belongs to another home"),
    "another shard than it has": (
        Claim(home="a", shard=5, upto=9),
        "opensearch.shard is 5, but this home writes shard 0",
    ),
    "a home from an older backup": (
        Claim(home="a", upto=8),
        "shard 0 has events up to 9, this home knows of 8: it comes from an older backup",
    ),
}


@pytest.mark.parametrize(("claim", "said"), WRONG.values(), ids=WRONG)
def test_what_would_give_numbers_twice_is_refused(store: Store, claim: Claim, said: str) -> None:
    store.renew(store.take("a"), 9)
    store.end(0)

    with pytest.raises(LogError, match=re.escape(said)), session(store.database) as writing:
        shards.take(writing, claim, "owner", LEASE, store.clock)


def test_there_are_so_many_shards_and_no_more(store: Store) -> None:
    with session(store.database) as writing:
        for n in range(SHARDS):
            given = {"home": str(n), "owner": "a:1", "until": store.clock.now()}
            writing.add(Shard(shard=n, fence=1, upto=first_of(n), **given))

    with pytest.raises(LogError, match="all 512 shards are taken"):
        store.take("one more")


def test_a_window_moves_by_the_marks_of_all_shards(store: Store) -> None:
    two = first_of(2) + 5
    with session(store.database) as writing:
        windows.register(writing, ["d"])
        old = windows.read(writing, "d")
        new = old.model_copy(update={"marks": {2: two, 0: 7}})
        windows.move(writing, old, new, store.clock.now())

    with reading(store.database) as looking:
        assert looking.exec(select(DetectorWindow.marks)).one() == f'{{"0":7,"2":{two}}}'
        assert windows.read(looking, "d") == new


def test_a_window_of_an_earlier_version_goes_on_where_it_was(database: Database) -> None:
    config = Config()
    config.set_main_option("script_location", MIGRATIONS)
    config.set_main_option("path_separator", "os")
    with database.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0011")
        for name, hwm in (("begun", 12_345_678_901), ("new", 0)):
            connection.exec_driver_sql(
                f"INSERT INTO detector_window (detector, hwm, state) VALUES ('{name}', {hwm}, '{{}}')"
            )
        command.upgrade(config, "head")

    with Session(database) as looking:
        assert windows.read(looking, "begun").marks == {0: 12_345_678_901}
        assert windows.read(looking, "new").marks == {}
