"""All mistakes of a file are told at once, each at its line, with what to write instead."""

from pathlib import Path

import pytest

from soc import plugins
from soc.content.folders import overlay
from soc.content.kinds import duration, duration_text, load
from soc.errors import ContentError
from soc.model.value import Value
from soc.respond.playbook import read

ACTIONS = plugins.load("soc.actions")
BROKEN = """\
schema: commonwatch.playbook/2  #! schema: Input should be 'commonwatch.playbook/1'
playbook: qf-test
version: "1"  #! version: Input should be a valid integer
title: Many mistakes
title: And one twice  #! key 'title' is here twice
description: The loader must find all of them.
owner:  #! owner: Input should be a valid string
status: test
created: 2026-13-23  #! created: Input should be a valid date
reviewed: 2026-11-23
references: []
on:
  incident:
    rulez: [a]  #! unknown key 'rulez': did you mean 'rules'?
    rules: [a]
steps:
  - id: limit
    use: wallet.rate_limt  #! use: no action 'wallet.rate_limt': did you mean 'wallet.rate_limit'?
    with: {wallet: x, rate: 6, burst: 3}
    ttl: 1 day  #! ttl: write a whole number and s, m, h or d
  - id: again
    use: wallet.rate_limit
    for_each: ${{ incdent.wallets }}  #! for_each: incdent.wallets: unknown name 'incdent'
    with: {wallet: x, rate: 6, burst: 3}
    ttl: 24h
"""
UNSAFE = {
    "not closed": "[",
    "nested too deep": "[" * 10_000,
    "too large": "text: " + "x" * 300_000,
    "control character": "text: \a",
    "key twice": "text: a\ntext: b",
    "anchor": "text: &a x",
    "alias": "text: *a",
    "tag": "text: !!str x",
    "tab": "text:\tx",
    "two documents": "text: a\n---\ntext: b",
    "not UTF-8": "text: \udcff",
}


class Note(Value):
    text: str


def test_all_mistakes_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "qf-test.yml"
    path.write_text(BROKEN)
    expected = [
        (number, line.split("#! ")[1])
        for number, line in enumerate(BROKEN.splitlines(), start=1)
        if "#! " in line
    ]

    with pytest.raises(ContentError) as caught:
        read(path, ACTIONS)

    found = [(p.line, p.message) for p in caught.value.problems]
    for line, message in expected:
        assert any(at == line and said.startswith(message) for at, said in found), (
            line,
            message,
            found,
        )
    assert len(found) == len(expected)
    assert str(caught.value).startswith(f"{path}:1: schema")


@pytest.mark.parametrize(
    "scalar", ["on", "no", "0x1f", "0123", "12:30", "1e5", "9" * 50, "2026-01-01"]
)
def test_what_only_looks_like_something_else_stays_text(scalar: str, tmp_path: Path) -> None:
    path = tmp_path / "note.yml"
    path.write_text(f"text: {scalar}")

    assert load(path, Note) == Note(text=scalar)


@pytest.mark.parametrize("text", UNSAFE.values(), ids=UNSAFE)
def test_what_is_no_safe_yaml_is_a_content_error(text: str, tmp_path: Path) -> None:
    path = tmp_path / "note.yml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))

    with pytest.raises(ContentError):
        load(path, Note)


def test_a_missing_file_is_a_content_error(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match="No such file"):
        load(tmp_path / "none.yml", Note)


@pytest.mark.parametrize("text", ["90s", "15m", "36h", "7d"])
def test_a_span_reads_as_it_was_written(text: str) -> None:
    assert duration_text(duration(text)) == text


@pytest.mark.parametrize("text", ["", "24", "h", "0s", "-1h", "1.5h", "1w", 24], ids=repr)
def test_what_is_no_span_is_told(text: object) -> None:
    with pytest.raises(ValueError, match="such as 24h"):
        duration(text)


def test_the_same_file_name_replaces_and_is_reported(tmp_path: Path) -> None:
    for folder in ("packaged", "site"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.yml").write_text("x")
    (tmp_path / "packaged" / "b.yml").write_text("x")

    chosen, replaced = overlay([tmp_path / "packaged", tmp_path / "site"])

    assert chosen == (tmp_path / "packaged" / "b.yml", tmp_path / "site" / "a.yml")
    assert replaced == ((tmp_path / "packaged" / "a.yml", tmp_path / "site" / "a.yml"),)
