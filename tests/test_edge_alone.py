"""A platform needs the edge and nothing else: not one dependency of the suite."""

import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROGRAM = """
import asyncio, sys
from datetime import UTC, datetime, timedelta
from soc.edge import EdgeMiddleware, Kind, Rule, Snapshot

now = datetime(2026, 11, 23, tzinfo=UTC)
snapshot = Snapshot()
snapshot.enforce(Rule(subject="wallet:0xAB", kind=Kind.QUARANTINE, until=now + timedelta(hours=1), effect="EF-1"))

async def platform(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})

def ask(wallet):
    sent = []
    async def send(message):
        sent.append(message)
    edge = EdgeMiddleware(platform, snapshot, lambda scope: [scope["who"]], lambda: now)
    asyncio.run(edge({"type": "http", "who": wallet}, None, send))
    return sent[0]["status"]

print(ask("wallet:0xab"), ask("wallet:0xcd"), sorted(m for m in sys.modules if m.split(".")[0] == "soc"))
"""


@pytest.mark.timeout(300)
def test_the_edge_works_in_an_empty_environment(tmp_path: Path) -> None:
    uv = str(Path(sys.executable).with_name("uv"))
    subprocess.run(
        [uv, "build", "--wheel", "-q", "--out-dir", str(tmp_path), str(ROOT)], check=True
    )
    (wheel,) = tmp_path.glob("*.whl")
    venv.create(tmp_path / "empty", with_pip=False)
    python = str(tmp_path / "empty" / "bin" / "python")
    subprocess.run(
        [uv, "pip", "install", "-q", "--no-deps", "--python", python, str(wheel)], check=True
    )

    done = subprocess.run([python, "-c", PROGRAM], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "403 200 ['soc', 'soc.edge']"
