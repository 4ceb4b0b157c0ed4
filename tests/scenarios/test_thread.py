"""From a log line to a refused request, through real processes: the thread everything hangs on."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from soc.edge import EdgeClient, Snapshot

SETTINGS = """\
detect: {every: 0.3}
respond: {mode: contain, ttl: {qf-api-abuse/limit: 8s}}
"""
PATIENCE = 60.0


def soc(home: Path, *words: str) -> str:
    command = [sys.executable, "-m", "soc.cli.main", *words, "--home", str(home)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture
def served(home: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    (home / "settings.yml").write_text(SETTINGS)
    command = [sys.executable, "-m", "soc.cli.main", "serve", "--home", str(home), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield (
                next(line.split()[1] for line in process.stdout if line.startswith("ready")),
                process,
            )
        finally:
            process.terminate()


@pytest.mark.timeout(240)
def test_a_flood_ends_as_a_refused_request_and_the_refusal_outlives_the_suite(
    home: Path, served: tuple[str, subprocess.Popen[str]]
) -> None:
    url, process = served
    ingest = soc(home, "tokens", "create", "--name", "ship", "--scope", "ingest")
    authz = soc(home, "tokens", "create", "--name", "edge", "--scope", "authz")
    snapshot = Snapshot()
    edge = EdgeClient(url, authz, snapshot, "platform")
    edge.start()
    event = {
        "@timestamp": datetime.now(UTC).isoformat(),
        "event": {"dataset": "platform.access", "action": "request"},
        "source": {"ip": "192.0.2.7"},
        "wallet": {"address": "0xBAD"},
    }
    lines = [
        x for n in range(240) for x in (json.dumps({"create": {"_id": f"e{n}"}}), json.dumps(event))
    ]

    answer = requests.post(
        f"{url}/platform/_bulk",
        data="\n".join([*lines, ""]),
        headers={"Authorization": f"Bearer {ingest}"},
        timeout=30,
    )

    assert answer.json()["errors"] is False

    def refused() -> bool:
        refusals = [snapshot.refusal(["wallet:0xbad"], datetime.now(UTC)) for _ in range(10)]
        return any(one and one.status == 429 and one.effect.startswith("EF-") for one in refusals)

    until(refused)
    (rule,) = snapshot.rules(datetime.now(UTC))
    until(lambda: "done" in soc(home, "runs", "list", "--json"))

    os.kill(process.pid, signal.SIGKILL)
    process.wait()

    assert snapshot.rules(datetime.now(UTC)) == (rule,)
    assert refused()
    until(lambda: datetime.now(UTC) > rule.until)
    assert not refused()
    edge.stop()

    acts = json.loads(soc(home, "audit", "list", "--json"))
    assert {"incident.open", "run.queue", "run.done", "token.create"} <= {a["action"] for a in acts}
    incidents = json.loads(soc(home, "incidents", "list", "--json"))
    # A machine that does much else may tell of itself, too.
    assert [one["kind"] for one in incidents].count("security") == 1


def test_nothing_but_loopback_is_served_without_tls(home: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "soc.cli.main",
        "serve",
        "--home",
        str(home),
        "--host",
        "0.0.0.0",
    ]

    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 1
    assert "without TLS only loopback is served" in done.stderr


def test_sigterm_ends_all_and_leaves_no_socket(
    home: Path, served: tuple[str, subprocess.Popen[str]]
) -> None:
    _, process = served
    began = time.monotonic()

    process.terminate()
    process.wait(15)

    assert time.monotonic() - began < 10
    assert not (home / "soc.sock").exists()
    assert "soc-process-died" not in soc(home, "alerts", "list")
