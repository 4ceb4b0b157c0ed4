"""A service outside, and what an action reaches it with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from soc.clock import SettableClock
from soc.respond.notifier import Outbox
from soc.respond.outward import Outward
from soc.respond.world import OutsideWorld
from tests.servers.receiver import Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def world(receiver: Receiver, tmp_path: Path, clock: SettableClock) -> OutsideWorld:
    http = Outward([f"127.0.0.1:{receiver.port}"])
    return OutsideWorld("EF-1-ask-0", Outbox(tmp_path), clock.now(), http)
