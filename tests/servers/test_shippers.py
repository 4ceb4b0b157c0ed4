"""What real shippers send, set up by our recipes, over TLS: all of it is stored, and no reject."""

import json
import runpy
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from soc.access import keys
from soc.app.shipping import Place, recipe
from soc.app.suite import Suite
from soc.logs.reader import LogReader
from soc.store.session import session
from tests.servers import machine, shippers
from tests.web.serving import authority, make_home, serving

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]
COUNT = 2_000
SETTINGS = """
web:
  listeners: [{bind: "127.0.0.1:0", serve: [ingest], tls: {cert: soc.pem, key: soc.key}}]
inputs:
  syslog: [{bind: "127.0.0.1:0", protocol: tls, source: hosts, tls: {cert: soc.pem, key: soc.key}}]
"""


@dataclass(frozen=True)
class Site:
    """A suite that serves over TLS, and how to ask what it stored."""

    home: Path
    http: str
    syslog: str
    ca: Path

    def place(self, url: str) -> Place:
        parts = urlsplit(url)
        return Place("127.0.0.1", parts.port or 0, name="soc", ca=str(self.ca))

    def recipe(self, shipper: str, source: str, url: str = "") -> str:
        """Return the recipe with a token that sends as *source* alone."""
        suite = Suite(self.home)
        with session(suite.database) as writing:
            now = suite.clock.now()
            token = keys.create_token(writing, shipper, "ingest", None, now, source)
        suite.database.dispose()
        return recipe(shipper, self.place(url or self.http), source, token)

    def stored(self, source: str, count: int = COUNT) -> list[dict[str, Any]]:
        """Return the events of *source* once there are *count*, or after a minute."""
        reader = LogReader(self.home / "events")
        rows: list[dict[str, Any]] = []
        for _ in range(300):
            rows = [
                row for row in reader.scan(0, 100_000).table.to_pylist() if row["source"] == source
            ]
            if len(rows) >= count:
                break
            time.sleep(0.2)
        assert reader.rejects().select(["reason", "raw"]).to_pylist() == []
        return rows


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("site") / "home"
    make_home(home, SETTINGS)
    ours = authority(home)
    ours.sign("soc")
    with machine.folder("ca") as readable:
        (readable / "ca.pem").write_bytes(ours.path.read_bytes())
        (readable / "ca.pem").chmod(0o644)
        with serving(home, addresses=2) as served:
            yield Site(home, *served.ready, readable / "ca.pem")


def say(port: int, count: int = COUNT) -> None:
    """Send syslog to a shipper, as programs of its machine do."""
    with socket.create_connection(("127.0.0.1", port), 20) as opened:
        for number in range(count):
            line = f'<38>1 2026-11-23T12:00:00.000{number % 1000:03}Z web1 app 7 - - line {number} "ä" \\\n'
            opened.sendall(line.encode())


def messages(rows: list[dict[str, Any]]) -> Counter[str]:
    return Counter(str(row["message"]).strip() for row in rows)


EXPECTED = Counter(f'line {number} "ä" \\' for number in range(COUNT))


def test_all_that_rsyslog_sends_in_bulk_is_stored(site: Site) -> None:
    port = machine.free_port()
    with (
        machine.folder("rsyslog") as folder,
        machine.obtained(shippers.rsyslog(folder, site.recipe("rsyslog", "www"), port)),
    ):
        say(port)
        rows = site.stored("www")

    assert messages(rows) == EXPECTED
    assert {row["host"] for row in rows} == {"web1"}
    assert len({row["event_id"] for row in rows}) == COUNT


def test_all_that_rsyslog_forwards_over_tls_is_stored(site: Site) -> None:
    port = machine.free_port()
    text = site.recipe("rsyslog-tls", "hosts", site.syslog)
    with (
        machine.folder("rsyslog") as folder,
        machine.obtained(shippers.rsyslog(folder, text, port)),
    ):
        say(port)
        rows = site.stored("hosts")

    assert messages(rows) == EXPECTED
    assert {row["parser"] for row in rows} == {"syslog"}


def test_all_that_syslog_ng_sends_in_bulk_is_stored(site: Site) -> None:
    port = machine.free_port()
    with (
        machine.folder("syslog-ng") as folder,
        machine.obtained(shippers.syslog_ng(folder, site.recipe("syslog-ng", "edge"), port)),
    ):
        say(port)
        rows = site.stored("edge")

    assert messages(rows) == EXPECTED
    assert len({row["event_id"] for row in rows}) == COUNT


def events(count: int = COUNT) -> list[dict[str, Any]]:
    return [
        {"@timestamp": "2026-11-23T12:00:00Z", "event": {"id": f"e{n}"}, "message": f"line {n}"}
        for n in range(count)
    ]


@pytest.mark.parametrize("client", ["opensearch-py", "elasticsearch-py"])
def test_all_that_a_client_in_python_sends_is_stored_once(
    site: Site, tmp_path: Path, client: str
) -> None:
    script = tmp_path / "client.py"
    script.write_text(site.recipe(client, client))
    made = runpy.run_path(str(script))

    first, again = made["send"](events()), made["send"](events())
    made["client"].info()
    made["client"].close()

    assert first == again == (COUNT, [])
    assert len(site.stored(client)) == COUNT


def test_all_that_the_client_for_node_sends_is_stored_once(site: Site, tmp_path: Path) -> None:
    try:
        modules = shippers.node_modules()
    except machine.Unobtainable as missing:
        pytest.skip(str(missing))
    script = modules / f"send-{tmp_path.name}.cjs"
    send = f"send({json.dumps(events(500))}).then((a) => console.log(a.errors, a.items.length));"
    script.write_text(site.recipe("opensearch-js", "node") + send + send)

    done = subprocess.run(
        ["node", script], capture_output=True, text=True, timeout=120, check=False
    )
    script.unlink()

    assert done.stdout.split() == ["false", "500"] * 2, done.stderr
    assert len(site.stored("node", 500)) == 500


@pytest.mark.filterwarnings("ignore::DeprecationWarning:opentelemetry")
def test_all_that_the_sdk_of_opentelemetry_sends_is_stored(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # they win over what the recipe says
        monkeypatch.delenv(name, raising=False)
    script = tmp_path / "sdk.py"
    script.write_text(site.recipe("opentelemetry-sdk", "shop"))
    provider = runpy.run_path(str(script))["provider"]
    logger = provider.get_logger("shop")

    for number in range(COUNT):
        logger.emit(body=f"line {number}")
    provider.shutdown()

    assert messages(site.stored("shop")) == Counter(f"line {n}" for n in range(COUNT))
