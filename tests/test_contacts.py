"""Every target leads to known channels; who is on call is right through summer and winter."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from soc.contacts import Contacts, Rota
from soc.errors import SettingsError
from soc.settings import read
from tests.conftest import NOON

SITE = """
contacts:
  channels:
    security: json://hook.example/s3cret-token
    platform: channel:security
    alice-mail: mailto://u:s3cret@mail.example
    bob-mail: mailto://u:s3cret@mail.example
  people:
    alice: [channel:alice-mail]
    bob: [channel:bob-mail]
  roles:
    admin: [user:alice, user:bob, channel:security]
    approver: [user:alice]
  rotas:
    admin:
      zone: Europe/Berlin
      since: 2026-11-16
      handovers:
        - {at: mon 09:00, who: [user:alice, user:bob]}
        - {at: fri 18:00, who: [user:bob]}
"""
MISTAKES = {
    "a channel of this machine": ("{channels: {a: 'syslog://s3cret'}}", "channels.a: write an Apprise URL, of one of discord,"),
    "a channel of the desktop": ("{channels: {a: 'dbus://s3cret'}}", "write an Apprise URL"),
    "a channel that is no URL": ("{channels: {a: s3cret}}", "write an Apprise URL"),
    "an alias of nothing": ("{channels: {a: 'channel:b'}}", "names a channel that has a URL"),
    "an alias of an alias": ("{channels: {a: 'channel:b', b: 'channel:c', c: 'json://s3cret'}}", "names a channel that has a URL"),
    "a person without such a channel": ("{channels: {mail: 'json://s3cret'}, people: {al: ['channel:mial']}}", "people.al: no channel:mial: did you mean 'channel:mail'?"),
    "a person who is a person": ("{people: {al: ['user:al']}}", "people.al: user:al: write channels"),
    "a role without such a person": ("{roles: {admin: ['user:al']}}", "roles.admin: no user:al"),
    "a rota of no role": ("{people: {al: []}, roles: {approver: ['user:al']}, rotas: {x: {zone: UTC, handovers: [{at: mon 09:00, who: ['user:al']}]}}}", "rotas.x: no role:x"),
    "no approver": ("{people: {al: []}, roles: {admin: ['user:al']}}", "approver is missing"),
    "no such zone": ("{rotas: {x: {zone: Berlin, handovers: [{at: mon 09:00, who: ['user:al']}]}}}", "no time zone 'Berlin'"),
    "no such time": ("{rotas: {x: {zone: UTC, handovers: [{at: mon 24:00, who: ['user:al']}]}}}", "write a day and a time of it, such as mon 09:00"),
    "two at once": ("{rotas: {x: {zone: UTC, handovers: [{at: mon 09:00, who: ['user:al']}, {at: mon 09:00, who: ['user:al']}]}}}", "two take over at mon 09:00"),
}  # fmt: skip


def contacts(text: str, folder: Path) -> Contacts:
    (folder / "settings.yml").write_text(text)
    return read(folder / "settings.yml", {}).contacts


def test_a_target_leads_to_its_channels_once_each(tmp_path: Path) -> None:
    site = contacts(SITE, tmp_path)

    assert site.ways("channel:platform", NOON) == ("security",)
    assert site.ways("user:alice", NOON) == ("alice-mail",)
    assert site.ways("role:admin", NOON) == ("alice-mail", "bob-mail", "security")
    assert site.ways("oncall:approver", NOON) == ("alice-mail",)
    assert site.ways("role:nobody", NOON) == ()
    assert site.knows("oncall:admin")
    assert not site.knows("role:nobody")


def test_without_contacts_every_target_is_known(tmp_path: Path) -> None:
    site = contacts("", tmp_path)

    assert site.knows("role:admin")
    assert site.ways("role:admin", NOON) == ()


@pytest.mark.parametrize(("text", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_without_its_secrets(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        contacts(f"contacts: {text}\n", tmp_path)

    assert message in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_settings_never_show_a_channel(tmp_path: Path) -> None:
    site = contacts(SITE, tmp_path)

    assert "s3cret" not in f"{site!r} {site.model_dump_json()}"


TURNS = {
    "the first week's": ("2026-11-16T08:00Z", "user:alice"),
    "a second before": ("2026-11-20T16:59:59Z", "user:alice"),
    "the weekend's": ("2026-11-20T17:00Z", "user:bob"),
    "still the weekend's on monday": ("2026-11-23T07:59:59Z", "user:bob"),
    "the second week's": ("2026-11-23T08:00Z", "user:bob"),
    "the third week's": ("2026-11-30T08:00Z", "user:alice"),
    "before since, the turns go back": ("2026-11-09T08:00Z", "user:bob"),
    "summer: nine is seven": ("2026-07-27T07:00Z", "user:alice"),
    "summer: not yet": ("2026-07-20T06:59:59Z", "user:bob"),
}


@pytest.mark.parametrize(("at", "who"), TURNS.values(), ids=TURNS)
def test_on_call_is_who_took_over_last(tmp_path: Path, at: str, who: str) -> None:
    rota = contacts(SITE, tmp_path).rotas["admin"]

    assert rota.on_call(datetime.fromisoformat(at)) == who


CLOCK_CHANGES = {
    # Berlin, 2026-03-29: 02:00 becomes 03:00; 02:30 does not exist and is taken as 03:30.
    "spring, a minute before": ("2026-03-29T01:29Z", "user:a"),
    "spring, taken over": ("2026-03-29T01:30Z", "user:b"),
    # Berlin, 2026-10-25: 03:00 becomes 02:00; 02:30 comes twice, and the first counts.
    "autumn, a minute before": ("2026-10-25T00:29Z", "user:a"),
    "autumn, the first time": ("2026-10-25T00:30Z", "user:b"),
    "autumn, the second time": ("2026-10-25T01:30Z", "user:b"),
}


@pytest.mark.parametrize(("at", "who"), CLOCK_CHANGES.values(), ids=CLOCK_CHANGES)
def test_a_handover_while_clocks_change_happens_once(at: str, who: str) -> None:
    rota = Rota.model_validate_json(
        '{"zone": "Europe/Berlin", "handovers": ['
        '{"at": "mon 00:00", "who": ["user:a"]}, {"at": "sun 02:30", "who": ["user:b"]}]}'
    )

    assert rota.on_call(datetime.fromisoformat(at).astimezone(UTC)) == who


def test_a_rota_needs_handovers() -> None:
    with pytest.raises(ValidationError):
        Rota.model_validate_json('{"zone": "UTC", "handovers": []}')
