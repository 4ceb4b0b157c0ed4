"""Whose word counts for a playbook, what it changes, and what it costs who gave it."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlmodel import Session

from soc.app import exchange
from soc.app.content import Playbooks, playbooks
from soc.app.home import Home
from soc.clock import SettableClock
from soc.contacts import Contacts
from soc.errors import AccessDenied, Illegal, Refused
from soc.respond.playbook import read
from soc.respond.releasing import release
from soc.respond.signature import SigningKey, make_key, read_key, read_signature
from soc.settings import Respond
from soc.store.session import Database
from soc.store.tables import PlaybookVersion
from tests.respond.stage import ACTIONS, HEAD, Stage, playbook

AT = datetime(2026, 11, 26, tzinfo=UTC)
ASK = {"id": "ask", "approval": {"ask": "Go on?", "approvers": ["role:approver"]}}
Keys = Mapping[str, SigningKey]


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    names = ("user:alice", "user:bob")
    return {name: make_key(name, tmp_path / f"{name[5:]}.key") for name in names}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A playbook that alice wrote."""
    path = tmp_path / "book.yml"
    path.write_text(yaml.safe_dump({**HEAD, "author": "user:alice", "steps": [ASK]}))
    return path


def policy(keys: Keys, *known: str, required: bool = True) -> Respond:
    return Respond(signers={name: keys[name].public() for name in known}, require_signed=required)


def judged(file: Path, given: Respond) -> tuple[str, str]:
    """Return who released the playbook in *file*, and what is wrong with it."""
    book = read(file, ACTIONS)
    released, wrong = release(book, file, [], given)
    return released.signature.signer if released.signature else "", wrong


def signed(file: Path, key: str) -> None:
    exchange.signed(file, file.with_name(f"{key}.key"), None, ACTIONS)


def changed(file: Path, **more: Any) -> None:
    """Change what the signature of *file* says."""
    sig = file.with_name("book.yml.sig")
    sig.write_text(json.dumps({**json.loads(sig.read_text()), **more}))


def test_a_signature_by_somebody_known_releases(file: Path, keys: Keys) -> None:
    signed(file, "bob")

    assert judged(file, policy(keys, "user:bob")) == ("user:bob", "")


def test_comments_and_order_are_no_part_of_what_is_signed(file: Path, keys: Keys) -> None:
    signed(file, "bob")
    file.write_text(f"# a comment\n{file.read_text()}")

    assert judged(file, policy(keys, "user:bob")) == ("user:bob", "")


def test_the_signature_is_ed25519_over_canonical_json(file: Path, keys: Keys) -> None:
    signed(file, "bob")
    made = json.loads(file.with_name("book.yml.sig").read_text())

    private = base64.b64decode(json.loads(file.with_name("bob.key").read_text())["private"])
    message = f'{{"at":"{made["at"]}","digest":"{made["digest"]}","signer":"user:bob"}}'.encode()
    expected = Ed25519PrivateKey.from_private_bytes(private).sign(message)

    assert base64.b64decode(made["signature"]) == expected


@pytest.mark.parametrize("required", [True, False])
def test_a_playbook_changed_after_it_was_signed_is_told(
    file: Path, keys: Keys, required: bool
) -> None:
    signed(file, "bob")
    file.write_text(file.read_text().replace("Go on?", "Go?"))

    signer, wrong = judged(file, policy(keys, "user:bob", required=required))

    assert (signer, "signed another content" in wrong) == ("", True)


@pytest.mark.parametrize("required", [True, False])
def test_a_signature_in_the_name_of_somebody_else_is_told(
    file: Path, keys: Keys, required: bool
) -> None:
    signed(file, "bob")
    known = {"user:bob": keys["user:alice"].public()}

    signer, wrong = judged(file, Respond(signers=known, require_signed=required))

    assert (signer, "not by the key of user:bob" in wrong) == ("", True)


FORGED = {
    "the moment": {"at": "2020-01-01T00:00:00Z"},
    "the signature": {"signature": "AAAA"},
    "no base64": {"signature": "?"},
}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED.keys())
def test_no_part_of_a_signature_can_be_changed(
    file: Path, keys: Keys, forged: dict[str, str]
) -> None:
    signed(file, "bob")
    changed(file, **forged)

    assert "not by the key" in judged(file, policy(keys, "user:bob"))[1]


def test_no_signature_and_one_of_nobody_known_count_only_where_none_is_required(
    file: Path, keys: Keys
) -> None:
    assert "is not signed" in judged(file, policy(keys, "user:bob"))[1]
    assert judged(file, policy(keys, "user:bob", required=False)) == ("", "")

    signed(file, "bob")

    assert "knows no user:bob" in judged(file, policy(keys, "user:alice"))[1]
    assert judged(file, policy(keys, "user:alice", required=False)) == ("", "")


def test_who_wrote_it_does_not_release_it(file: Path, keys: Keys) -> None:
    with pytest.raises(Illegal, match="user:alice wrote test"):
        signed(file, "alice")

    signature = keys["user:alice"].sign(read(file, ACTIONS).digest, AT)
    file.with_name("book.yml.sig").write_text(signature.model_dump_json())

    assert judged(file, policy(keys, "user:alice"))[1].endswith("somebody else releases it")
    assert judged(file, policy(keys, "user:alice", required=False)) == ("", "")


def test_what_is_no_signature_is_told(file: Path, keys: Keys) -> None:
    file.with_name("book.yml.sig").write_text("{}")

    assert "is no signature" in judged(file, policy(keys, required=False))[1]


def test_a_key_is_its_owners_alone(tmp_path: Path, keys: Keys) -> None:
    path = tmp_path / "bob.key"

    assert path.stat().st_mode & 0o777 == 0o600
    assert read_key(path).public() == keys["user:bob"].public()
    with pytest.raises(FileExistsError):
        make_key("user:bob", path)
    path.chmod(0o644)
    with pytest.raises(Refused, match="others can read it"):
        read_key(path)


def test_a_key_never_shows_itself(tmp_path: Path) -> None:
    private = json.loads(_written(tmp_path).read_text())["private"]
    broken = tmp_path / "broken.key"
    broken.write_text(json.dumps({"signer": "user:x", "private": private[:-4]}))
    broken.chmod(0o600)

    with pytest.raises(Refused) as refused:
        read_key(broken)

    assert private[:-4] not in f"{refused.value!r}{refused.value.__cause__!r}"
    assert private not in repr(read_key(_written(tmp_path)))


def _written(folder: Path) -> Path:
    path = folder / "shown.key"
    if not path.exists():
        make_key("user:shown", path)
    return path


def test_a_name_that_is_no_person_gets_no_key(tmp_path: Path) -> None:
    with pytest.raises(Illegal, match="such as user:alice"):
        make_key("alice", tmp_path / "x.key")

    assert not (tmp_path / "x.key").exists()


def usable(home: Path, given: Respond) -> Playbooks:
    return playbooks(Home(home), ACTIONS, Contacts(), given)


def test_where_signatures_are_required_others_are_not_used_and_told(
    home: Path, file: Path, keys: Keys
) -> None:
    folder = home / "content" / "playbooks"
    (folder / "test.yml").write_text(file.read_text())
    before = usable(home, policy(keys, "user:bob", required=False))

    exchange.signed(
        folder / "test.yml", file.with_name("bob.key"), folder / "test.yml.sig", ACTIONS
    )
    after = usable(home, policy(keys, "user:bob"))

    assert "test" in [book.name for book in before.usable]
    assert [book.name for book in after.usable] == ["test"]
    assert len(after.problems) == len(before.usable) - 1
    assert all("is not signed" in str(problem) for problem in after.problems)


def test_a_packaged_playbook_is_released_by_a_signature_in_the_site_s_folder(
    home: Path, file: Path, keys: Keys
) -> None:
    found = usable(home, Respond())
    book = next(one for one in found.usable if one.name == "qf-sybil-containment")
    signature = keys["user:bob"].sign(book.digest, AT)
    beside = home / "content" / "playbooks" / "qf-sybil-containment.yml.sig"
    beside.write_text(signature.model_dump_json())

    after = usable(home, policy(keys, "user:bob"))

    assert [(one.name, one.signature) for one in after.usable] == [
        ("qf-sybil-containment", read_signature(beside))
    ]


def test_who_released_it_is_pinned_and_has_no_vote(
    database: Database, clock: SettableClock, tmp_path: Path, keys: Keys
) -> None:
    stage = Stage(database, clock, tmp_path)
    book = playbook([ASK])
    released = book.released(keys["user:bob"].sign(book.digest, clock.now()))

    stage.queue(released)
    stage.work()

    with Session(database) as reading:
        pinned = reading.get_one(PlaybookVersion, book.digest)
    assert pinned.signer == "user:bob"
    assert json.loads(pinned.signature or "{}") == json.loads(
        keys["user:bob"].sign(book.digest, clock.now()).model_dump_json()
    )
    with pytest.raises(AccessDenied, match="wrote or released"):
        stage.answer("bob")
    stage.answer("dave")
    stage.work()
    assert stage.of(1).state == "done"


def test_a_release_after_the_first_run_is_pinned_too(
    database: Database, clock: SettableClock, tmp_path: Path, keys: Keys
) -> None:
    stage = Stage(database, clock, tmp_path)
    book = playbook([ASK])

    stage.queue(book)
    stage.queue(book.released(keys["user:bob"].sign(book.digest, clock.now())))
    stage.queue(book)

    with Session(database) as reading:
        assert reading.get_one(PlaybookVersion, book.digest).signer == "user:bob"
