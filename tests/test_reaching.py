"""Whom playbooks write to is known before they run; a test message says what happened."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from soc.app import home as homes
from soc.app.suite import Suite
from soc.cli import main
from tests.servers.receiver import Receiver, receiving

CONTACTS = """
contacts:
  channels:
    security: json://u:s3cret-token@127.0.0.1:{port}/security
    platform: channel:security
    broken: json://127.0.0.1:{port}/broken
  roles:
    admin: [channel:security, channel:broken]
    approver: [channel:security]
  people:
    alice: []
"""
PLAYBOOK = """schema: commonwatch.playbook/1
playbook: mine
version: 1
title: t
description: d
owner: role:nobody
status: stable
created: 2026-11-25
reviewed: 2026-11-25
references: []
on: {incident: {rules: [r]}}
steps:
  - id: tell
    use: notify.send
    with:
      to:
        - role:admin
        - channel:securty
        - ${{ incident.owner }}
      title: "role:x is no target here"
  - id: ask
    approval: {ask: "?", approvers: [role:ceo]}
"""


@pytest.fixture
def receiver(home: Path) -> Iterator[Receiver]:
    with receiving() as receiver:
        (home / "settings.yml").write_text(CONTACTS.format(port=receiver.port))
        receiver.answers["/broken"] = (503, {}, b"")
        yield receiver


def soc(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["soc", *words])
    try:
        main.run()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_without_contacts_everything_that_is_packaged_may_go_to_the_outbox(home: Path) -> None:
    found = Suite(home).playbooks

    assert found.problems == ()
    assert len(found.usable) >= 5


def test_with_contacts_packaged_playbooks_find_whom_they_write_to(
    home: Path, receiver: Receiver
) -> None:
    assert Suite(home).playbooks.problems == ()


def test_with_contacts_a_playbook_that_writes_to_nobody_is_a_mistake_at_its_line(
    home: Path, receiver: Receiver
) -> None:
    path = homes.find(home).content("playbooks") / "mine.yml"
    path.write_text(PLAYBOOK)

    found = Suite(home).playbooks

    known = "channel:broken, channel:platform, channel:security, role:admin, role:approver"
    assert [str(problem) for problem in found.problems] == [
        f"{path}:18: to: no contact 'channel:securty': did you mean 'channel:security'?",
        f"{path}:22: approvers: no contact 'role:ceo': known are {known}, user:alice",
    ]
    assert "mine" not in {playbook.name for playbook in found.usable}


def test_a_test_message_says_what_became_of_it_on_each_channel(
    home: Path,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = soc(monkeypatch, "notify", "test", "role:admin", "--home", str(home), "--json")

    said = capsys.readouterr()
    rows = {row["channel"]: row for row in json.loads(said.out)}
    assert code == 1
    assert {name: row["state"] for name, row in rows.items()} == {
        "outbox": "sent",
        "broken": "failed",
        "security": "sent",
    }
    assert "error=503" in rows["broken"]["why"]
    assert rows["security"]["place"] == f"json://127.0.0.1:{receiver.port}"
    assert "s3cret" not in said.out + said.err
    assert sorted(receiver.paths()) == ["/broken", "/security"]


def test_a_test_message_that_arrives_ends_well_and_one_to_nobody_does_not(
    home: Path,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert soc(monkeypatch, "notify", "test", "channel:platform", "--home", str(home)) == 0
    assert soc(monkeypatch, "notify", "test", "role:admn", "--home", str(home)) == 1

    assert "there is no contact role:admn: did you mean 'role:admin'?" in capsys.readouterr().err
    assert receiver.paths() == ["/security"]


def test_contacts_are_listed_with_who_is_on_call(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "settings.yml").write_text(
        "contacts:\n"
        "  channels: {mail: 'mailto://u:s3cret@mail.example'}\n"
        "  people: {al: ['channel:mail']}\n"
        "  roles: {approver: ['user:al']}\n"
        "  rotas: {approver: {zone: UTC, handovers: [{at: mon 00:00, who: ['user:al']}]}}\n"
    )

    soc(monkeypatch, "notify", "list", "--home", str(home), "--json")

    rows = {row["target"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["oncall:approver"]["on_call"] == "user:al"
    assert rows["role:approver"]["channels"] == ["mail"]


def test_check_names_channels_and_secrets_that_cannot_be_used(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "settings.yml").write_text(
        "contacts:\n"
        "  channels: {security: 'slack://s3cret', platform: 'channel:security'}\n"
        "  roles: {approver: ['channel:security'], admin: ['channel:security']}\n"
        "secrets: {T: {env: NO_SUCH_VARIABLE}}\n"
    )

    assert soc(monkeypatch, "check", "--home", str(home)) == 2

    said = capsys.readouterr().err
    assert "contacts.channels.security: Apprise cannot use this URL" in said
    assert "secret T: the variable NO_SUCH_VARIABLE is not set" in said
    assert "s3cret" not in said
