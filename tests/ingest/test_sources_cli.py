"""``soc sources`` and ``soc check`` tell what a site's source files do, and every mistake in them."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from soc.app.shipping import RECIPES
from soc.app.suite import Suite
from soc.cli import main
from soc.clock import SettableClock
from soc.model.event import Row

DATA = Path(__file__).parent / "data"
LINE = '{"app":"billing","at":1795435200123,"n":%d,"invoice":{"id":"I-1"},"actor":"ines"}\n'
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: Path) -> Run:
    monkeypatch.delenv("SOC_TOKEN", raising=False)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["soc", *words, "--home", str(home)])
        try:
            main.run()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        return (code, *capsys.readouterr())

    return run


@pytest.fixture
def billing(home: Path) -> Path:
    return Path(shutil.copy(DATA / "billing.yml", home / "content" / "sources"))


def test_a_test_shows_the_event_or_the_refusal_of_each_line(run: Run, billing: Path) -> None:
    code, out, _ = run("sources", "test", str(billing), "--json")

    told = json.loads(out)
    assert (code, told["lines"], told["events"], told["refused"], told["failed"]) == (0, 3, 1, 2, 0)
    assert told["results"][0]["event"]["user"]["name"] == "ines"
    assert "app is 'shop'" in told["results"][2]["refused"]


def test_other_lines_can_be_tried_without_samples(run: Run, billing: Path, tmp_path: Path) -> None:
    lines = tmp_path / "billing.log"
    lines.write_text(LINE % 1 + "nope\n")

    code, out, _ = run("sources", "test", str(billing), "--lines", str(lines))

    assert code == 0
    assert "user.name: ines" in out
    assert "refused: not JSON at character" in out


def test_a_sample_that_comes_out_otherwise_fails_at_its_line(run: Run, billing: Path) -> None:
    billing.write_text(billing.read_text().replace("user.name: ines", "user.name: rhea"))
    line = next(n for n, t in enumerate(billing.read_text().splitlines(), 1) if "I-1" in t)

    code, _, err = run("sources", "test", str(billing))
    checked, _, told = run("check")

    assert (code, checked) == (1, 2)
    assert "user.name is 'ines', not 'rhea'" in err
    assert f"{billing}:{line}: sample 1: user.name is 'ines', not 'rhea'" in told


def test_a_broken_file_is_told_by_place_and_stops_no_other(
    run: Run, billing: Path, home: Path, clock: SettableClock
) -> None:
    shutil.copy(DATA / "broken-source.yml", home / "content" / "sources")
    shutil.copy(billing, billing.with_name("twice.yml"))

    code, _, err = run("check")
    tested, _, _ = run("sources", "test", str(DATA / "broken-source.yml"))

    assert (code, tested) == (2, 2)
    assert "broken-source.yml:8: reviewed" in err
    assert "twice.yml:1: source 'billing' is in billing.yml already" in err
    assert list(Suite(home, clock).sources.usable) == ["billing"]


def test_a_class_that_the_policy_does_not_know_is_a_mistake(run: Run, billing: Path) -> None:
    billing.write_text(billing.read_text().replace("class: ret-user", "class: nowhere"))

    code, _, err = run("check")

    assert code == 2
    assert "no class of retention 'nowhere'" in err


def test_the_list_says_what_sends_how_it_is_read_and_what_was_rejected(
    run: Run, billing: Path, tmp_path: Path
) -> None:
    lines = tmp_path / "a.log"
    lines.write_text(LINE % 1 + LINE % 2 + "nope\n")
    run("ingest", str(lines), "--source", "eu")

    code, out, _ = run("sources", "list", "--json")

    (row,) = json.loads(out)
    assert code == 0
    assert row["last_seen"].endswith("Z")
    assert {name: row[name] for name in ("source", "parsers", "events", "rejects")} == {
        "source": "eu",
        "parsers": ["billing"],
        "events": 2,
        "rejects": 1,
    }


def test_a_source_that_never_sent_is_listed_with_nothing(run: Run, billing: Path) -> None:
    _, out, _ = run("sources", "list", "--json")

    (row,) = json.loads(out)
    assert (row["source"], row["parsers"], row["events"], row["last_seen"]) == (
        "billing",
        ["billing"],
        0,
        None,
    )


@pytest.mark.parametrize(
    ("dataset", "expected"), [("billing.audit", "ret-user"), ("chain.transfer", "ret-failed")]
)
def test_the_class_of_a_source_counts_where_the_policy_names_none(
    home: Path, billing: Path, clock: SettableClock, dataset: str, expected: str
) -> None:
    billing.write_text(billing.read_text().replace("dataset: billing.audit", f"dataset: {dataset}"))
    suite = Suite(home, clock)

    (row,) = suite.intake.read([(suite.sources.usable["billing"].samples[0].line.encode(), None)])

    assert isinstance(row, Row)
    assert suite.classify(row) == expected


def test_a_source_is_added_with_a_token_of_its_own_and_what_to_paste(run: Run, home: Path) -> None:
    (home / "settings.yml").write_text("web: {port: 8999}\n")

    code, out, _ = run("sources", "add", "www", "--shipper", "fluent-bit", "--json")

    made = json.loads(out)
    assert (code, made["source"], made["name"]) == (0, "www", "source-www")
    assert f"HTTP_Passwd        {made['token']}" in made["recipe"]
    assert "Port               8999" in made["recipe"]
    assert "Index              www" in made["recipe"]
    _, audited, _ = run("audit", "list", "--json", "--limit", "1")
    assert json.loads(audited)[0]["detail"] == {"scope": "ingest", "user": None, "source": "www"}


IN_THE_CLEAR = "web: {port: 8999}\n"
OVER_TLS = """
web:
  listeners: [{bind: "192.0.2.1:8781", serve: [ingest], tls: {cert: soc.pem, key: soc.key}}]
inputs:
  syslog: [{bind: "192.0.2.1:6514", protocol: tls, source: hosts, senders: [192.0.2.0/24], tls: {cert: soc.pem, key: soc.key}}]
"""


@pytest.mark.parametrize("shipper", sorted(RECIPES.keys() - {"rsyslog-tls"}))
def test_a_recipe_names_an_authority_only_where_there_is_tls(
    run: Run, home: Path, shipper: str
) -> None:
    (home / "settings.yml").write_text(IN_THE_CLEAR)
    _, clear, _ = run("sources", "add", "www", "--shipper", shipper, "--token", "a")
    (home / "settings.yml").write_text(OVER_TLS)
    _, told, _ = run("sources", "add", "www", "--shipper", shipper, "--token", "b")

    assert [word for word in ("ca.pem", "https", "tls") if word in clear.lower()] == []
    assert "ca.pem" in told
    assert "$tls" not in clear + told


@pytest.mark.parametrize(
    ("settings", "shipper", "says"),
    [
        (
            IN_THE_CLEAR,
            "vector",
            "http://127.0.0.1:8999   (as web.port says: where `soc serve` got",
        ),
        (OVER_TLS, "vector", "https://192.0.2.1:8781   (as web.listeners says: where `soc serve`"),
        (OVER_TLS, "rsyslog-tls", "tls://192.0.2.1:6514   (as inputs.syslog says)"),
    ],
)
def test_what_is_to_be_pasted_says_which_setting_names_the_port(
    run: Run, home: Path, settings: str, shipper: str, says: str
) -> None:
    (home / "settings.yml").write_text(settings)

    code, out, _ = run("sources", "add", "www", "--shipper", shipper)

    assert (code, f"sends to  {says}" in out) == (0, True), out


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("www", "--shipper", "fluentbit"), "did you mean 'fluent-bit'?"),
        (("www", "--shipper", "rsyslog-tls"), "rsyslog-tls: write an input of protocol tls to"),
        (("a\u0007b",), "a source needs a name"),
    ],
)
def test_a_source_that_cannot_be_added_makes_no_token(
    run: Run, words: tuple[str, ...], reason: str
) -> None:
    code, _, err = run("sources", "add", *words)

    assert (code, reason in err) == (1, True)
    _, audited, _ = run("audit", "list", "--json")
    assert [act["action"] for act in json.loads(audited)] == []
