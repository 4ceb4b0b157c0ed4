import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from jsonschema import Draft202012Validator

from tests.demo.suite import Suite

SCHEMA = Path(__file__).parents[2] / "soc/content/schemas/funding-event.json"


@dataclass(frozen=True)
class Running:
    """A platform that runs, and the suite it speaks to."""

    url: str
    home: Path
    suite: Suite

    @property
    def operator(self) -> dict[str, str]:
        key = (self.home / "operator.key").read_text()
        return {"Authorization": f"Bearer {key}"}

    def access(self) -> list[dict[str, Any]]:
        lines = (self.home / "platform_access.ndjson").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def access_to(self, path: str) -> dict[str, Any]:
        """Return the line about a request of *path*: it may come a moment after the answer."""
        for _ in range(500):
            for line in self.access():
                if line["path"] == path:
                    return line
            time.sleep(0.01)
        raise AssertionError(f"no line about {path}")


@pytest.fixture
def suite() -> Iterator[Suite]:
    suite = Suite()
    yield suite
    suite.close()


@pytest.fixture
def web() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.fixture(scope="module")
def start() -> Iterator[Callable[[Path], Running]]:
    """Start platforms, each with a suite of its own, and stop them after the module."""
    started: list[tuple[subprocess.Popen[str], Suite]] = []

    def start(home: Path) -> Running:
        suite = Suite()
        (home / "ingest").write_text("ingest-token\n")
        (home / "edge").write_text("edge-token\n")
        command = [sys.executable, "-W", "error", "-m", "soc.demo.platform", "--home", str(home)]
        command += ["--port", "0", "--suite", suite.url, "--day-seconds", "0.3"]
        command += ["--ingest-token-file", str(home / "ingest")]
        command += ["--edge-token-file", str(home / "edge")]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append((process, suite))
        assert process.stdout is not None
        word, url = process.stdout.readline().split()
        assert word == "ready"
        return Running(url, home, suite)

    yield start
    for process, suite in started:
        process.terminate()
        process.communicate(timeout=20)
        suite.close()


@pytest.fixture(scope="session")
def validator() -> Draft202012Validator:
    schema = json.loads(SCHEMA.read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
