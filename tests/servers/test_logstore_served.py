"""A suite that keeps its events on a cluster does all that one does which keeps them itself."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
import requests

from tests.servers import stores
from tests.servers.opensearch import Node
from tests.web.serving import make_home, serving

pytestmark = [
    pytest.mark.server,
    pytest.mark.xdist_group("opensearch"),
    pytest.mark.timeout(240),
]
SETTINGS = "detect: {{every: 0.3}}\nlogs: {{seal_after: 1s}}\nopensearch: {{urls: [{url}]}}\n"
EVENT = {
    "event": {"dataset": "platform.access", "action": "request"},
    "source": {"ip": "192.0.2.7"},
    "wallet": {"address": "0xBAD"},
}


def soc(home: Path, *words: str) -> Any:
    command = [sys.executable, "-m", "soc.cli.main", *words, "--home", str(home), "--json"]
    said = subprocess.run(command, check=False, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not _holds(true):
        assert time.monotonic() < end
        time.sleep(0.2)


def _holds(true: Callable[[], bool]) -> bool:
    try:
        return true()
    except HTTPError:  # its first index is just being made
        return False


def test_a_bulk_request_becomes_documents_findings_and_an_incident(
    opensearch: Node, tmp_path: Path
) -> None:
    stores.wipe(opensearch)
    home = tmp_path / "home"
    tokens = make_home(home, SETTINGS.format(url=opensearch.url), ingest="ingest", read="read")
    event = {"@timestamp": datetime.now(UTC).isoformat(), **EVENT}
    lines = [
        x for n in range(240) for x in (json.dumps({"create": {"_id": f"e{n}"}}), json.dumps(event))
    ]

    def get(path: str) -> Any:
        headers = {"Authorization": f"Bearer {tokens['read']}"}
        answer = requests.get(f"{url}/api/v1{path}", headers=headers, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    with serving(home, "--port", "0") as served:
        url = served.ready[0]
        for _ in range(2):
            answer = requests.post(
                f"{url}/platform/_bulk",
                data="\n".join([*lines, ""]),
                headers={"Authorization": f"Bearer {tokens['ingest']}"},
                timeout=30,
            )
            assert answer.status_code == 200
        mine = "/soc-*/_count?q=soc.source:platform"
        until(lambda: opensearch.ask(mine)["count"] == 240)
        until(lambda: bool(soc(home, "incidents", "list")))
        stats = get("/events/stats")
        searched = get("/events/search?q=wallet.address:0xbad&limit=1000")["items"]
        cli = soc(home, "search", "wallet.address:0xbad AND event.action:request", "--limit", "500")
        sources = {row["source"]: row for row in soc(home, "sources", "list")}

    assert {row["source"]: row["events"] for row in stats["sources"]}["platform"] == 240
    assert len(searched) == len(cli) == 240
    assert sources["platform"]["events"] == 240
    assert sources["platform"]["parsers"] == ["ecs"]
    assert "qf-api-abuse" in {alert["rule"] for alert in soc(home, "alerts", "list")}
    assert soc(home, "detect")["failed"] == {}


def test_sql_says_what_to_ask_instead(home: Path) -> None:
    (home / "settings.yml").write_text("opensearch: {urls: [http://127.0.0.1:9]}\n")
    command = [sys.executable, "-m", "soc.cli.main", "sql", "SELECT 1", "--home", str(home)]

    said = subprocess.run(command, check=False, capture_output=True, text=True)

    assert said.returncode == 1
    assert "soc search" in said.stderr


def test_a_suite_reads_an_index_of_others_and_tells_what_has_no_time(
    opensearch: Node, tmp_path: Path
) -> None:
    mapped = {"event": {"properties": {"ingested": {"type": "date"}}}}
    opensearch.ask("/theirs", {"mappings": {"properties": mapped}}, "PUT")
    now = datetime.now(UTC).isoformat()
    event = {"@timestamp": now, **EVENT, "event": {**EVENT["event"], "ingested": now}}
    opensearch.ask("/theirs/_doc/1?refresh=true", event, "PUT")
    opensearch.ask("/theirs/_doc/2?refresh=true", EVENT, "PUT")
    home = tmp_path / "home"
    index = f"{{urls: [{opensearch.url}], index: theirs, source: others, lag: 1s}}"
    make_home(home, f"inputs: {{indices: [{index}]}}\n")

    with serving(home, "--port", "0") as served:
        until(lambda: bool(soc(home, "search", "soc.source:others")))
        until(lambda: "soc-telemetry-gap" in {a["rule"] for a in soc(home, "alerts", "list")})
        began = time.monotonic()
        served.stop()
        assert time.monotonic() - began < 10

    (row,) = soc(home, "search", "soc.source:others")
    assert row["event_id"] == "theirs:1"
    opensearch.ask("/theirs", method="DELETE")
