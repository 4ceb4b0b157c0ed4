"""The command line: results on stdout, everything else on stderr, exit codes as documented."""

import gzip
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from soc.cli import main

T = "2026-11-23T12:00:00Z"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], home: Path
) -> Run:
    """Run one command on the home; return its exit code, stdout and stderr."""
    monkeypatch.delenv("SOC_TOKEN", raising=False)

    def run(*words: str, at: Path | None = home) -> tuple[int, str, str]:
        where = ["--home", str(at)] if at else []
        monkeypatch.setattr(sys, "argv", ["soc", *words, *where])
        try:
            main.run()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        out, err = (text.decode(errors="surrogateescape") for text in capsysbinary.readouterr())
        return code, out, err

    return run


def event(n: int) -> str:
    return json.dumps({"@timestamp": T, "event": {"id": f"e{n}"}, "n": n})


def flood() -> str:
    base = {"@timestamp": T, "event": {"dataset": "platform.access", "action": "request"}}
    return "\n".join(
        json.dumps({**base, "source": {"ip": "192.0.2.7"}, "wallet": {"address": "0xbad"}})
        for _ in range(240)
    )


@pytest.mark.parametrize("kind", ["ndjson", "ndjson.gz", "ndjson.zst"])
def test_ingest_counts_what_became_of_each_line(run: Run, tmp_path: Path, kind: str) -> None:
    lines = "\n".join([event(1), event(2), "nope", event(1), ""]).encode()
    path = tmp_path / f"a b.{kind}"
    packed = {"gz": gzip.compress, "zst": zstandard.ZstdCompressor().compress}
    path.write_bytes(packed.get(kind.rpartition(".")[2], bytes)(lines))

    code, out, _ = run("ingest", str(path), "--json")

    assert code == 0
    assert json.loads(out) == {
        "accepted": 2,
        "rejected": 1,
        "duplicates": 1,
        "first_seq": 1,
        "last_seq": 3,
    }


def test_rejects_are_listed_and_shown_as_they_were_sent(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"nope\n\xff\xfe\n")
    run("ingest", str(path))

    _, listed, _ = run("rejects", "list", "--json")
    _, shown, reason = run("rejects", "show", "2")

    assert [row["seq"] for row in json.loads(listed)] == [1, 2]
    assert "not UTF-8" in reason
    assert shown


def test_the_main_job_by_commands(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "flood.ndjson"
    path.write_text(flood())
    run("ingest", str(path), "--source", "platform")

    code, out, _ = run("detect", "--json")
    assert (code, json.loads(out)["incidents"]) == (0, 1)
    _, out, _ = run("incidents", "show", "INC-1", "--json")
    assert json.loads(out)["alerts"][0]["rule"] == "qf-api-abuse"
    _, out, _ = run("playbooks", "plan", "qf-api-abuse", "INC-1", "--json")
    plan = json.loads(out)
    assert (plan["wallets"], plan["steps"][0]["decision"]) == (["0xbad"], "ask")
    _, again, _ = run("playbooks", "plan", "qf-api-abuse", "INC-1", "--json")
    assert json.loads(again)["digest"] == plan["digest"]

    code, _, err = run("incidents", "close", "INC-1", "--verdict", "test", "--note", "x")
    assert (code, "SOC_TOKEN" in err) == (1, True)
    run("users", "add", "ines", "--role", "analyst")
    _, out, _ = run("tokens", "create", "--name", "t", "--scope", "triage", "--user", "ines")
    monkeypatch.setenv("SOC_TOKEN", out.strip())
    code, _, _ = run("incidents", "close", "INC-1", "--verdict", "test", "--note", "a drill")
    assert code == 0
    _, out, _ = run("audit", "list", "--json")
    assert json.loads(out)[0]["actor"] == "user:ines"
    code, out, _ = run("audit", "verify", "--json")
    assert (code, json.loads(out)["ok"]) == (0, True)


def test_a_switched_rule_is_on_the_record(run: Run) -> None:
    code, out, _ = run(
        "rules", "disable", "qf-api-abuse", "--reason", "noisy", "--until", "2030-01-01"
    )
    assert (code, out.strip()) == (0, "qf-api-abuse is disabled")

    _, out, _ = run("audit", "list", "--json")

    assert (json.loads(out)[0]["action"], json.loads(out)[0]["reason"]) == (
        "rule.disabled",
        "noisy",
    )


def test_broken_content_is_told_by_place_and_stops_nothing_else(run: Run, home: Path) -> None:
    rule = home / "content" / "rules" / "broken.yml"
    rule.write_text(
        "title: x\nlogsource: {product: linux}\ndetection:\n  a: {b|nope: c}\n  condition: a\n"
    )
    playbook = home / "content" / "playbooks" / "broken.yml"
    playbook.write_text("schema: commonwatch.playbook/1\n")

    code, out, err = run("detect", "--json")
    strict, _, _ = run("detect", "--strict")
    check, _, checked = run("check")

    assert (code, strict, check) == (0, 2, 2)
    assert f"{rule}:4: " in err
    assert f"{playbook}:1: title: Field required" in checked
    assert len(json.loads(out)["problems"]) > 1


WRONG = {
    "no home": (("check",), 1, "make one with `soc init"),
    "a second init": (("init",), 1, "is a home already"),
    "no such file": (("ingest", "none.ndjson"), 1, "none.ndjson: no such file"),
    "no such format": (("ingest", "-", "--format", "xml"), 1, "known are auto"),
    "no such incident": (("incidents", "show", "INC-9"), 1, "there is no incident INC-9"),
    "no incident at all": (("incidents", "show", "x"), 1, "there is no incident x"),
    "no such alert": (("alerts", "show", "9"), 1, "there is no alert 9"),
    "no such run": (("runs", "show", "9"), 1, "there is no run 9"),
    "no such reject": (("rejects", "show", "9"), 1, "there is no reject 9"),
    "no such rule": (("rules", "disable", "none", "--reason", "x"), 1, "there is no rule none"),
    "no such playbook": (("playbooks", "plan", "none", "INC-1"), 1, "there is no playbook none"),
    "no SELECT": (("sql", "DROP TABLE events"), 1, "exactly one SELECT"),
    "no such role": (("users", "add", "x", "--role", "analist"), 2, "did you mean 'analyst'?"),
    "no such scope": (("tokens", "create", "--name", "t", "--scope", "all"), 1, "no scope all"),
    "no reason": (("rules", "disable", "qf-api-abuse"), 2, "--reason"),
    "no such command": (("incident",), 2, "incident"),
}


@pytest.mark.parametrize(("words", "code", "message"), WRONG.values(), ids=WRONG)
def test_a_mistake_is_one_line_and_an_exit_code(
    run: Run, tmp_path: Path, words: tuple[str, ...], code: int, message: str
) -> None:
    at = tmp_path / "nowhere" if words == ("check",) else None
    got, out, err = run(*words, at=at) if at else run(*words)

    assert (got, out) == (code, "")
    assert message in err
    assert "Traceback" not in err


def test_a_broken_setting_is_told_by_place(run: Run, home: Path) -> None:
    (home / "settings.yml").write_text("web:\n  prot: 1\n")

    code, _, err = run("incidents", "list")

    assert (code, err.strip()) == (
        1,
        f"{home}/settings.yml:2: unknown setting: did you mean 'port'?",
    )


def test_a_newer_home_is_refused(run: Run, home: Path) -> None:
    (home / "format").write_text("99\n")

    code, _, err = run("check")

    assert (code, "use the newer version" in err) == (1, True)
