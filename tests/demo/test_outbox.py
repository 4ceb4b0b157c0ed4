from collections.abc import Iterator

import pytest

from soc.demo.platform.outbox import Outbox
from tests.demo.suite import Suite


@pytest.fixture
def outbox(suite: Suite) -> Iterator[Outbox]:
    outbox = Outbox(suite.url, "t")
    outbox.start()
    yield outbox
    outbox.stop(patience=0.5)


def fill(outbox: Outbox, *numbers: int) -> None:
    for number in numbers:
        outbox.put("platform", f"id-{number}", {"event": {"id": f"id-{number}", "dataset": "x"}})


def ids(suite: Suite) -> list[str]:
    return [each["event"]["id"] for each in suite.events]


def test_what_is_not_acknowledged_is_sent_again_in_order(suite: Suite, outbox: Outbox) -> None:
    suite.outage = 503
    fill(outbox, 1, 2, 3)
    with suite.changed:
        assert suite.changed.wait_for(lambda: suite.bulk_tokens, 10)

    suite.outage = None
    fill(outbox, 4)
    suite.wait_until_seen(lambda _: True, 4)

    assert ids(suite) == ["id-1", "id-2", "id-3", "id-4"]


def test_a_busy_suite_gets_only_what_it_did_not_take_again(suite: Suite, outbox: Outbox) -> None:
    suite.busy = 2
    fill(outbox, 1, 2, 3)

    suite.wait_until_seen(lambda _: True, 3)

    assert sorted(ids(suite)) == ["id-1", "id-2", "id-3"]


def test_what_is_refused_for_good_stops_nothing(suite: Suite, outbox: Outbox) -> None:
    suite.wrong = {"id-1"}
    fill(outbox, 1, 2)

    suite.wait_until_seen(lambda _: True, 1)
    outbox.stop()

    assert ids(suite) == ["id-2"]
    assert outbox.refused == 1
    assert len(outbox) == 0


def test_batches_stay_small(suite: Suite) -> None:
    outbox = Outbox(suite.url, "t")
    fill(outbox, *range(1200))

    outbox.start()
    outbox.stop(patience=10)

    assert len(suite.events) == 1200
    assert max(suite.batches) == 500


def test_an_outbox_whose_suite_is_gone_ends_in_time() -> None:
    suite = Suite()
    suite.close()
    outbox = Outbox(suite.url, "t")
    fill(outbox, 1)

    outbox.start()
    outbox.stop(patience=0.3)

    assert len(outbox) == 1
