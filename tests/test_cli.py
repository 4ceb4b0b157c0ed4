"""The command line: results on stdout, everything else on stderr, exit codes as documented."""

import gzip
import json
import os
import pwd
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from threading import Thread

import pytest
import uvicorn
import zstandard

from soc.access import accounts, keys
from soc.access.permissions import Role
from soc.app import taking
from soc.app.suite import Suite
from soc.cli import main
from soc.store.session import session
from soc.web import server, sockets
from soc.web.front import Front

T = "2026-11-23T12:00:00Z"
Run = Callable[..., tuple[int, str, str]]
BEYOND = str(10**20)


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


def test_a_time_that_is_none_is_told_how_times_are_written(run: Run) -> None:
    code, _, err = run("search", "*", "--since", "yesterday")

    assert code == 2
    assert "'--since': 'yesterday': write RFC 3339, as 2026-11-23T12:00:00Z" in err


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


def test_samples_are_shown_to_all_rules_if_asked(run: Run, tmp_path: Path) -> None:
    for slug, other in (("buys", "sells"), ("sells", "looks")):
        act, benign = slug.removesuffix("s"), other.removesuffix("s")
        (tmp_path / f"{slug}.yml").write_text(
            f"title: {slug}\nname: {slug}\nlogsource: {{product: shop}}\n"
            f"detection: {{acts: {{event.action: {act}}}, condition: acts}}\n"
        )
        (tmp_path / f"{slug}.test.yml").write_text(
            f"schema: commonwatch.rule-test/1\nrule: {slug}\nsamples:\n"
            f"  - {{name: a, hits: 1, events: [{{event: {{event: {{dataset: shop, action: {act}}}}}}}]}}\n"
            f"  - {{name: b, hits: 0, events: [{{event: {{event: {{dataset: shop, action: {benign}}}}}}}]}}\n"
        )

    alone, _, _ = run("rules", "test", str(tmp_path))
    code, out, err = run("rules", "test", str(tmp_path), "--cross", "--json")

    assert (alone, code) == (0, 1)
    assert [(one["fires"], one["rule"]) for one in json.loads(out)["cross"]] == [("sells", "buys")]
    assert err.strip() == (
        f"{tmp_path / 'buys.test.yml'}: b: sells fires on it: mend that rule, or list it under also"
    )


def test_coverage_counts_what_is_switched_on_and_tested(run: Run, home: Path) -> None:
    for slug, hits in (("buys", "1"), ("sells", "2"), ("looks", "0")):
        act = slug.removesuffix("s")
        (home / "content" / "rules" / f"{slug}.yml").write_text(
            f"title: {slug}\nname: {slug}\ntags: [attack.t1213.003]\nlogsource: {{product: shop}}\n"
            f"detection: {{acts: {{event.action: {act}}}, condition: acts}}\n"
        )
        (home / "content" / "rules" / f"{slug}.test.yml").write_text(
            f"schema: commonwatch.rule-test/1\nrule: {slug}\nsamples:\n"
            f"  - {{name: a, hits: {hits}, events: "
            f"[{{event: {{event: {{dataset: shop, action: {act if hits != '0' else 'x'}}}}}}}]}}\n"
            f"  - {{name: b, hits: 0, events: [{{event: {{event: {{dataset: shop, action: y}}}}}}]}}\n"
        )
    rules = str(home / "content" / "rules")

    code, out, _ = run("rules", "coverage", rules)
    (found,) = json.loads(out)["techniques"]
    run("rules", "disable", "buys", "--reason", "a drill")
    _, after, _ = run("rules", "coverage", rules, "--summary", "--json")
    _, table, _ = run("rules", "coverage", rules, "--summary")

    words = "buys, looks (untested), sells (failing)"
    assert (code, found["score"], found["comment"]) == (0, 33, words)
    words = "buys (disabled), looks (untested), sells (failing)"
    assert json.loads(after) == [{"technique": "T1213.003", "score": 0, "rules": words}]
    assert table.splitlines()[1].split()[:3] == ["T1213.003", "0", "buys"]


def test_a_check_tells_warnings_and_ends_with_2_if_asked(run: Run, tmp_path: Path) -> None:
    place = tmp_path / "mine" / "a.yml"
    place.parent.mkdir()
    place.write_text(
        "title: A\nlogsource: {product: shop}\nsoc: {owner: team}\n"
        "detection: {acts: {event.action: buy}, condition: acts}\n"
    )

    code, out, err = run("rules", "check", str(place.parent), "--json", at=None)
    strict, _, _ = run("rules", "check", str(place.parent), "--strict", at=None)

    message = "has no samples: write a.test.yml beside it"
    assert (code, strict) == (0, 2)
    assert err.strip() == f"{place}:1: warning: {message}"
    assert json.loads(out) == {
        "rules": 1,
        "correlations": 0,
        "failed": 0,
        "warnings": 1,
        "findings": [{"path": str(place), "line": 1, "message": message, "severity": "warning"}],
    }


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
    assert f"{playbook}:1: title is missing: write it" in checked
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
    "no number of an alert": (("alerts", "show", BEYOND), 1, f"there is no alert {BEYOND}"),
    "no number of a run": (("runs", "show", BEYOND), 1, f"there is no run {BEYOND}"),
    "no number of a reject": (("rejects", "show", BEYOND), 1, f"there is no reject {BEYOND}"),
    "no such limit": (("alerts", "list", "--limit", BEYOND), 2, "--limit"),
    "no limit at all": (("incidents", "list", "--limit", "0"), 2, "--limit"),
    "no such reject yet": (("rejects", "list", "--after", BEYOND), 2, "--after"),
    "no threat model": (("threats", "check", "none.yml"), 2, "none.yml"),
    "no policy": (("retention", "check", "none.yml"), 2, "none.yml"),
    "no such folder": (("threats", "report", "--out", "/proc/none/x"), 1, "/proc/none: "),
    "no source": (("ingest", "-", "--source", ""), 1, "a source needs a name"),
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
        f"{home}/settings.yml:2: unknown setting prot: did you mean 'port'?",
    )


def test_a_group_of_settings_that_is_none_is_told_by_place(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "settings.yml").write_text("web: text\n")
    monkeypatch.setenv("SOC_WEB__PORT", "1")

    code, _, err = run("incidents", "list")

    assert (code, err.strip()) == (1, f"{home}/settings.yml:1: Input should be an object")


@pytest.mark.parametrize("words", [("check",), ("threats", "check")], ids=" ".join)
def test_checks_of_broken_settings_end_with_2(run: Run, home: Path, words: tuple[str, ...]) -> None:
    (home / "settings.yml").write_text("web:\n  prot: 1\n")

    code, out, err = run(*words)

    assert (code, out) == (2, "")
    assert f"{home}/settings.yml:2: unknown setting" in err


def test_an_impossible_home_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    code, out, err = run("init", at=tmp_path / "file" / "home")

    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "Not a directory" in err


LINES = b"".join(event(n).encode() + b"\n" for n in range(1000))
DAMAGED = {
    "no gzip": ("a.gz", b"garbage"),
    "no zstandard": ("a.zst", b"garbage"),
    "half a gzip": ("a.gz", gzip.compress(LINES)[:-9]),
    "half a zstandard": ("a.zst", zstandard.ZstdCompressor().compress(LINES)[:-9]),
    "no event log": ("a.evtx", b"garbage"),
}


@pytest.mark.parametrize(("name", "data"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_one_line_about_it(
    run: Run, tmp_path: Path, name: str, data: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(data)

    code, out, err = run("ingest", str(path))

    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(str(path))


def test_every_frame_of_a_file_is_read(run: Run, tmp_path: Path) -> None:
    pack = zstandard.ZstdCompressor().compress
    path = tmp_path / "a.zst"
    path.write_bytes(pack(event(1).encode() + b"\n") + pack(event(2).encode() + b"\n"))

    _, out, _ = run("ingest", str(path), "--json")

    assert json.loads(out)["accepted"] == 2


@pytest.mark.parametrize("kind", ["no gzip", "no zstandard", "half a gzip", "no event log"])
def test_a_scan_tells_a_damaged_file_and_goes_on(run: Run, tmp_path: Path, kind: str) -> None:
    name, data = DAMAGED[kind]
    rule = tmp_path / "rule.yml"
    rule.write_text("title: x\nlogsource: {product: linux}\ndetection: {a: {b: c}, condition: a}\n")
    (tmp_path / name).write_bytes(data)
    sound = tmp_path / "z.ndjson"
    sound.write_text('{"b": "c"}\nno event\n')

    code, out, err = run("scan", "--rules", str(rule), str(tmp_path / name), str(sound), at=None)
    alone, _, quiet = run("scan", "--rules", str(rule), str(sound), at=None)

    assert (code, [json.loads(line)["file"] for line in out.splitlines()]) == (1, [str(sound)])
    assert err.startswith(str(tmp_path / name))
    assert (alone, quiet) == (0, "")


def test_json_has_no_number_that_json_cannot_write(run: Run) -> None:
    numbers = "'nan'::DOUBLE a, 'inf'::FLOAT b, [1.5, '-inf'::DOUBLE] c, {'x': 'nan'::DOUBLE} d"

    _, out, _ = run("sql", f"SELECT {numbers}", "--json")

    assert json.loads(out) == [{"a": None, "b": None, "c": [1.5, None], "d": {"x": None}}]


@pytest.mark.parametrize("served", [True, False])
def test_replay_asks_about_every_reject(
    run: Run, home: Path, tmp_path: Path, served: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking, "REPLAYED", 2)
    path = tmp_path / "a"
    path.write_text("".join(event(n) + "\n" for n in range(5)))
    run("ingest", str(path), "--format", "nginx")

    with serving(home) if served else nullcontext():
        _, out, _ = run("rejects", "replay", "--json")
        _, again, _ = run("rejects", "replay", "--json")

    assert json.loads(out) == {"asked": 5, "accepted": 5, "duplicates": 0}
    assert json.loads(again) == {"asked": 5, "accepted": 0, "duplicates": 5}


@contextmanager
def serving(home: Path) -> Iterator[None]:
    """Serve the home on its socket, in a thread."""
    suite = Suite(home)
    log = suite.log()
    door = uvicorn.Server(server.config_of(Front(suite, log)))
    listener = sockets.local(suite.home.socket)
    thread = Thread(target=door.run, args=([listener],))
    thread.start()
    try:
        while not door.started:
            time.sleep(0.01)
        yield
    finally:
        door.should_exit = True
        thread.join()
        log.close()
        suite.database.dispose()


def test_who_acts_is_what_the_kernel_says(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "somebody-else")

    run("tokens", "create", "--name", "t", "--scope", "read")

    _, out, _ = run("audit", "list", "--limit", "1", "--json")
    assert json.loads(out)[0]["actor"] == f"os:{pwd.getpwuid(os.getuid()).pw_name}"


def test_what_a_token_is_for_is_on_the_record(run: Run) -> None:
    run("users", "add", "ines", "--role", "approver")

    run("tokens", "create", "--name", "t", "--scope", "respond", "--user", "ines")

    _, out, _ = run("audit", "list", "--limit", "1", "--json")
    assert json.loads(out)[0]["detail"] == {"scope": "respond", "user": "ines"}


@pytest.mark.parametrize(
    ("scope", "user", "code"),
    [("admin", None, 1), ("admin", "ines", 0), ("admin", "ann", 1), ("respond", "ines", 1)],
)
def test_with_a_token_only_a_person_who_is_admin_makes_personal_tokens(
    run: Run, monkeypatch: pytest.MonkeyPatch, scope: str, user: str | None, code: int
) -> None:
    run("users", "add", "ines", "--role", "admin")
    run("users", "add", "ann", "--role", "analyst")
    whose = ("--user", user) if user else ()
    _, token, _ = run("tokens", "create", "--name", "own", "--scope", scope, *whose)
    monkeypatch.setenv("SOC_TOKEN", token.strip())

    made, _, _ = run("tokens", "create", "--name", "t", "--scope", "respond", "--user", "ann")

    assert made == code


def test_a_changed_audit_log_is_told(run: Run, home: Path) -> None:
    for n in range(3):
        run("tokens", "create", "--name", f"t{n}", "--scope", "read")
    run("audit", "verify")
    with closing(sqlite3.connect(home / "store.db")) as store:
        store.execute("DELETE FROM audit WHERE leaf = 1")
        store.commit()

    code, out, err = run("audit", "verify", "--json")

    assert (code, json.loads(out)["ok"], err) == (1, False, "act 1 is missing\n")


def test_a_newer_home_is_refused(run: Run, home: Path) -> None:
    (home / "format").write_text("99\n")

    code, _, err = run("check")

    assert (code, "use the newer version" in err) == (1, True)


def test_a_suppression_is_tested_saved_by_a_person_and_ended(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = Suite(home)
    with session(suite.database) as writing:
        accounts.add(writing, "ines", frozenset({Role.ANALYST}), suite.clock.now())
        token = keys.create_token(writing, "ines", "triage", "ines", suite.clock.now())
    suite.database.dispose()

    tested = json.loads(run("suppressions", "test", "--rule", "noisy", "--json")[1])
    add = ("suppressions", "add", "--rule", "noisy", "--reason", "a scanner", "--for", "14d")
    assert run(*add, "--seen", tested["seen"]) == (
        1, "", "only a person does this: put a person's token into SOC_TOKEN\n"
    )  # fmt: skip
    monkeypatch.setenv("SOC_TOKEN", token)
    assert run(*add, "--seen", "x")[::2] == (
        1, "seen: test it first, and send back what the test says as 'seen'\n"
    )  # fmt: skip
    code, out, _ = run(*add, "--seen", tested["seen"], "--mode", "active")
    assert (code, out.split(" until ")[0]) == (0, "SUP-1 is active")
    (listed,) = json.loads(run("suppressions", "list", "--json")[1])
    assert (listed["scope"], listed["owner"]) == ("rule noisy", "user:ines")
    ended = run("suppressions", "expire", "SUP-1", "--reason", "done")
    assert ended[:2] == (0, "SUP-1 is withdrawn: findings open alerts again\n")
    assert run("suppressions", "expire", "SUP-9", "--reason", "x")[::2] == (
        1, "there is no suppression SUP-9\n"
    )  # fmt: skip


def test_a_list_is_imported_shown_and_forgotten(run: Run, tmp_path: Path) -> None:
    feed = tmp_path / "bad-ips.csv"
    feed.write_text("kind,value\nip,192.0.2.7\nip,x\n")
    wrong = run("lists", "import", str(feed))
    assert (wrong[0], wrong[1]) == (1, "")
    assert wrong[2].startswith(f"{feed}:3: value: write an address")

    feed.write_text("kind,value\nip,192.0.2.7\n")
    code, out, err = run("lists", "import", str(feed), "--owner", "role:security")
    assert (code, err) == (0, "no events are stored\n")
    assert out == (
        "bad_ips: 1 entries, 1 added, 0 changed, 0 removed, 0 unchanged, 0 expired\n"
        "history: 0 events of 0 entities, 0 alerts\n"
    )
    (listed,) = json.loads(run("lists", "list", "--json")[1])
    assert (listed["name"], listed["owner"], listed["source"]) == (
        "bad_ips", "role:security", "bad-ips.csv"
    )  # fmt: skip
    assert "192.0.2.7" in run("lists", "show", "bad_ips")[1]
    assert run("lists", "remove", "bad_ips", "--reason", "stale")[1] == "bad_ips is forgotten\n"
    assert run("lists", "show", "bad_ips")[::2] == (1, "there is no list bad_ips\n")
    assert run("lists", "import", str(feed), "--format", "xml")[0] == 1
