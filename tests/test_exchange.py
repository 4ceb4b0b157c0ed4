"""Playbooks leave the suite and enter it by commands."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from soc.app import exchange
from soc.cli import main
from soc.content import folders
from soc.errors import Illegal, Refused
from soc.respond.cacao.export import export
from soc.respond.playbook import read
from tests.respond.cacao.spec import violations
from tests.respond.stage import ACTIONS, playbook

FOREIGN = Path(__file__).parent / "data" / "cacao" / "foreign.json"
SLUG = "qf-sybil-containment"
KEY_HINT = "write the 44 characters of base64 that `soc playbooks key` printed"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Run one command; return its exit code, stdout and stderr."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["soc", *map(str, words)])
        try:
            main.run()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        out, err = (text.decode() for text in capsysbinary.readouterr())
        return code, out, err

    return run


def test_a_playbook_goes_out_and_comes_back_as_a_file(run: Run, home: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"

    assert run("playbooks", "export", SLUG, "--out", out, "--home", home) == (0, "", "")
    code, told, err = run("playbooks", "import", out, "--out", tmp_path / "in")

    file = tmp_path / "in" / f"{SLUG}.yml"
    assert (code, told, err) == (0, f"{file}\n", "")
    assert violations(json.loads(out.read_text())) == []
    assert read(file, ACTIONS) == read(folders.packaged("playbooks") / f"{SLUG}.yml", ACTIONS)
    assert run("playbooks", "check", file)[0] == 0


def test_an_export_is_the_same_each_time(run: Run, home: Path) -> None:
    first, again = (run("playbooks", "export", SLUG, "--home", home) for _ in range(2))

    assert first == again
    assert first[0] == 0


def test_one_of_others_keeps_its_original_and_says_what_it_lost(run: Run, tmp_path: Path) -> None:
    code, told, err = run("playbooks", "import", FOREIGN, "--out", tmp_path, "--json")

    taken = json.loads(told)
    assert (code, taken["is_ours"]) == (0, False)
    assert [Path(file).name for file in taken["files"]] == [
        "answer-a-leaked-key.yml", "answer-a-leaked-key.cacao.json",
    ]  # fmt: skip
    assert Path(taken["files"][1]).read_bytes() == FOREIGN.read_bytes()
    assert len(err.splitlines()) == len(taken["not_translated"]) > 10
    assert run("playbooks", "check", taken["files"][0])[0] == 0


def test_an_import_never_writes_over_a_file(tmp_path: Path) -> None:
    exchange.take(FOREIGN, tmp_path, ACTIONS)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}

    with pytest.raises(Illegal, match="is there already"):
        exchange.take(FOREIGN, tmp_path, ACTIONS)

    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_what_no_file_can_say_is_refused_and_leaves_none(tmp_path: Path) -> None:
    tiny = playbook(
        [{"id": "note", "use": "incident.note", "with": {"text": "x"}}], outputs={"a": 1e-250}
    )
    (tmp_path / "x.json").write_text(json.dumps(export(tiny, ACTIONS)))

    with pytest.raises(Refused, match="more than 18 digits"):
        exchange.take(tmp_path / "x.json", tmp_path / "in", ACTIONS)

    assert list((tmp_path / "in").iterdir()) == []


def test_what_is_no_cacao_leaves_no_file(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text("{}")

    code, _, err = run("playbooks", "import", file, "--out", tmp_path / "in")

    assert code == 1
    assert "type: Field required" in err
    assert not (tmp_path / "in").exists()


def test_a_signed_playbook_is_the_only_one_in_use_where_that_is_asked(
    run: Run, home: Path, tmp_path: Path
) -> None:
    code, told, _ = run("playbooks", "key", "user:bob", "--out", tmp_path / "bob.key", "--json")
    public = json.loads(told)["public"]
    packaged = folders.packaged("playbooks") / f"{SLUG}.yml"
    beside = home / "content" / "playbooks" / f"{SLUG}.yml.sig"
    signing = ("playbooks", "sign", packaged, "--key", tmp_path / "bob.key", "--out", beside)
    assert (code, *run(*signing)) == (0, 0, f"{beside}\n", "")
    (home / "settings.yml").write_text(
        f'respond: {{require_signed: true, signers: {{"user:bob": "{public}"}}}}\n'
    )

    code, told, err = run("playbooks", "list", "--home", home, "--json")

    assert [(one["playbook"], one["signer"]) for one in json.loads(told)] == [(SLUG, "user:bob")]
    assert "qf-api-abuse.yml:1: is not signed" in err
    code, _, err = run("check", "--home", home)
    assert (code, "qf-api-abuse.yml:1: is not signed" in err) == (2, True)


def test_a_public_key_that_is_none_is_told_by_place(run: Run, home: Path) -> None:
    (home / "settings.yml").write_text('respond:\n  signers:\n    "user:bob": AAAA\n')

    code, _, err = run("check", "--home", home)

    assert (code, err) == (2, f"{home / 'settings.yml'}:3: {KEY_HINT}\n")


def test_the_schema_of_playbooks_is_that_of_the_reference(run: Run, tmp_path: Path) -> None:
    reference = Path(__file__).parents[1] / "docs" / "reference" / "schemas" / "playbook.json"

    code, told, _ = run("playbooks", "schema")
    run("playbooks", "schema", "--out", tmp_path / "x.json")

    assert (code, told) == (0, reference.read_text())
    assert (tmp_path / "x.json").read_text() == told


def test_a_look_back_tells_each_playbook_that_was_named(run: Run, home: Path) -> None:
    code, told, _ = run("playbooks", "simulate", SLUG, "--since", "7d", "--json", "--home", home)

    assert code == 0
    assert [(one["playbook"], one["runs"]) for one in json.loads(told)["playbooks"]] == [(SLUG, 0)]
    assert run("playbooks", "simulate", "none", "--home", home)[0] == 1
    assert run("playbooks", "simulate", "--since", "soon", "--home", home)[0] == 2
