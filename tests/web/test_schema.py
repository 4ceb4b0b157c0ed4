"""The API is what its own document says: no answer beyond it, and none that is our fault."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from soc.access import keys
from soc.store.session import session
from tests.web.serving import serving
from tests.web.story import opened

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_headers_conformance,response_schema_conformance"
)


@pytest.mark.server
def test_no_request_finds_a_fault_or_an_answer_that_is_not_documented(tmp_path: Path) -> None:
    home, report = tmp_path / "home", tmp_path / "report.json"
    with opened(home) as site, session(site.front.suite.database) as writing:
        secret = keys.create_token(writing, "t", "admin", "max", site.clock.now())
    (home / "settings.yml").write_text("web: {api_per_minute: 10000000}\n")

    with serving(home, "--port", "0") as served:
        command = [
            *(sys.executable, "-m", "schemathesis.cli", "run"),
            f"{served.ready[0]}/api/openapi.json",
            *("--header", f"Authorization: Bearer {secret}", "--checks", CHECKS),
            *("--phases", "examples,coverage,fuzzing", "--max-examples", "6"),
            *("--generation-deterministic", "--continue-on-failure", "--request-timeout", "20"),
            *("--report", "json", "--report-json-path", str(report)),
        ]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)

    assert done.returncode == 0, done.stdout[-20_000:]
    told = json.loads(report.read_text())
    assert told
