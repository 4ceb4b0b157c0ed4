"""A home keeps events in one place: changing the setting never removes what waits in the journal."""

from pathlib import Path

import pytest

from soc.app.suite import Suite
from soc.clock import SettableClock
from soc.errors import LogError
from soc.logs.embedded import EmbeddedLog
from soc.logs.opensearch.shipped import Shipped
from soc.logs.opensearch.store import OpenSearchLog
from soc.model.event import Row, to_table
from soc.settings import Logs, OpenSearch


def test_a_home_with_segments_is_not_opened_for_opensearch(
    tmp_path: Path, clock: SettableClock
) -> None:
    log = EmbeddedLog(tmp_path, Logs(), clock)
    for number in range(2):
        row = Row(clock.now(), f'{{"n": {number}}}', "ecs")
        log.append(to_table([row], "src", clock.now(), ["default"]))
        if not number:
            log.seal()
    log.close()

    with pytest.raises(LogError, match="begin a new home"):
        OpenSearchLog(tmp_path, Logs(), OpenSearch(urls=("http://127.0.0.1:9",)), clock)

    log = EmbeddedLog(tmp_path, Logs(), clock)
    assert len(log.scan(0, 10)) == 2
    log.close()


def test_a_home_on_opensearch_is_not_opened_without_it(suite: Suite) -> None:
    suite.home.events.mkdir()
    Shipped(suite.home.events).move(7)

    with pytest.raises(LogError, match=r"write opensearch\.urls again"):
        suite.log()
