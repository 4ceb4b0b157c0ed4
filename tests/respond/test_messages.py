"""Each message reaches each channel once: after failures, crashes and in a storm."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlmodel import select

from soc.contacts import Contacts
from soc.errors import SettingsError
from soc.respond.channels import Channels
from soc.respond.messages import Messenger
from soc.respond.notifier import Outbox
from soc.store.deliveries import SENDING
from soc.store.session import Database, reading, session
from soc.store.tables import Delivery
from tests.conftest import NOON
from tests.servers.receiver import Receiver

TOKEN = "tok-8f3b1c77"
BROKEN = (500, {}, f"no {TOKEN}".encode())


def contacts(receiver: Receiver, **more: object) -> Contacts:
    urls = {
        name: f"json://u:{TOKEN}@127.0.0.1:{receiver.port}/{name}" for name in ("alice", "chat")
    }
    return Contacts(
        channels={name: SecretStr(url) for name, url in urls.items()},
        people={"alice": ("channel:alice",)},
        roles={"admin": ("user:alice", "channel:chat"), "approver": ("user:alice",)},
        **more,  # type: ignore[arg-type]
    )


def messenger(receiver: Receiver, database: Database, folder: Path, **more: object) -> Messenger:
    site = contacts(receiver, **more)
    return Messenger(Outbox(folder / "outbox"), site, Channels(site), database)


def copies(folder: Path) -> list[str]:
    return sorted(json.loads(p.read_text())["title"] for p in (folder / "outbox").glob("*.json"))


def rows(database: Database) -> dict[tuple[str, str], str]:
    with reading(database) as looking:
        return {(row.key, row.channel): row.state for row in looking.exec(select(Delivery))}


def test_a_message_reaches_each_channel_once_and_the_outbox(
    receiver: Receiver, database: Database, tmp_path: Path
) -> None:
    made = messenger(receiver, database, tmp_path)

    made.send("k", ["role:admin", "user:alice"], "A title", "words", NOON)
    made.send("k", ["role:admin"], "A title", "words", NOON)

    assert sorted(receiver.paths()) == ["/alice", "/chat"]
    sent = json.loads(receiver.taken[0].body)
    assert (sent["title"], sent["message"], sent["type"]) == ("A title", "words", "info")
    assert copies(tmp_path) == ["A title"]


def test_a_retry_goes_only_to_those_who_have_not_got_it(
    receiver: Receiver, database: Database, tmp_path: Path
) -> None:
    made = messenger(receiver, database, tmp_path)
    receiver.answers["/chat"] = BROKEN

    with pytest.raises(OSError, match=r"chat: .*error=500"):
        made.send("k", ["role:admin"], "t", "", NOON)
    receiver.answers.clear()
    made.send("k", ["role:admin"], "t", "", NOON + timedelta(seconds=1))

    assert sorted(receiver.paths()) == ["/alice", "/chat", "/chat"]
    assert copies(tmp_path) == ["t"]


def test_a_failing_channel_is_left_alone_ever_longer(
    receiver: Receiver, database: Database, tmp_path: Path
) -> None:
    made = messenger(receiver, database, tmp_path)
    receiver.answers["/chat"] = BROKEN

    for second in range(16):
        with pytest.raises(OSError, match="chat: "):
            made.send("k", ["channel:chat"], "t", "", NOON + timedelta(seconds=second))

    assert receiver.paths() == ["/chat"] * 5  # at 0, 1, 3, 7 and 15 seconds


def test_what_a_crash_left_open_is_sent_again_but_not_beside_another_worker(
    receiver: Receiver, database: Database, tmp_path: Path
) -> None:
    made = messenger(receiver, database, tmp_path, timeout=5.0)
    with session(database) as writing:
        writing.add(
            Delivery(key="k", channel="chat", state=SENDING, title="t", at=NOON, attempts=1)
        )

    with pytest.raises(OSError, match="chat: another worker is sending it"):
        made.send("k", ["channel:chat"], "t", "", NOON + timedelta(seconds=9))
    made.send("k", ["channel:chat"], "t", "", NOON + timedelta(seconds=10))

    assert receiver.paths() == ["/chat"]


def test_an_unknown_target_fails_after_the_others_were_reached(
    receiver: Receiver, database: Database, tmp_path: Path
) -> None:
    made = messenger(receiver, database, tmp_path)

    with pytest.raises(OSError, match="role:nobody: no such contact"):
        made.send("k", ["role:nobody", "channel:chat"], "t", "", NOON)

    assert receiver.paths() == ["/chat"]
    assert copies(tmp_path) == ["t"]


def test_a_storm_is_told_in_one_message_that_names_what_waited(
    receiver: Receiver, database: Database, tmp_path: Path
) -> None:
    made = messenger(receiver, database, tmp_path, per_hour=3)

    for number in range(60):
        made.send(f"k{number}", ["channel:chat"], f"message {number}", "", NOON)
    made.tell_held(NOON + timedelta(minutes=9))
    assert len(receiver.taken) == 3
    made.tell_held(NOON + timedelta(minutes=10))
    made.tell_held(NOON + timedelta(minutes=10))

    assert len(receiver.taken) == 4
    told = json.loads(receiver.taken[3].body)
    assert told["title"].startswith("57 messages were held back")
    assert told["message"].count("12:00:00 message ") == 50
    assert "and 7 more" in told["message"]
    assert len(copies(tmp_path)) == 60
    assert set(rows(database).values()) == {"sent", "told"}


def test_a_digest_that_fails_is_sent_later_and_forgets_nothing(
    receiver: Receiver, database: Database, tmp_path: Path
) -> None:
    made = messenger(receiver, database, tmp_path, per_hour=1)
    made.send("a", ["channel:chat"], "a", "", NOON)
    made.send("b", ["channel:chat"], "b", "", NOON)
    receiver.answers["/chat"] = BROKEN

    made.tell_held(NOON + timedelta(minutes=10))
    receiver.answers.clear()
    made.tell_held(NOON + timedelta(minutes=10))
    assert rows(database)["b", "chat"] == "held"
    made.tell_held(NOON + timedelta(minutes=10, seconds=1))

    assert rows(database)["b", "chat"] == "told"
    assert len(receiver.taken) == 3


def test_an_hour_later_messages_go_out_again(
    receiver: Receiver, database: Database, tmp_path: Path
) -> None:
    made = messenger(receiver, database, tmp_path, per_hour=1)
    made.send("a", ["channel:chat"], "a", "", NOON)

    made.send("b", ["channel:chat"], "b", "", NOON + timedelta(hours=1))

    assert len(receiver.taken) == 2


def test_a_storm_keeps_nothing_urgent_waiting(
    receiver: Receiver, database: Database, tmp_path: Path
) -> None:
    made = messenger(receiver, database, tmp_path, per_hour=1)
    made.send("a", ["role:approver"], "a", "", NOON)
    made.send("b", ["role:approver"], "b", "", NOON)

    made.send("c", ["oncall:approver"], "c", "", NOON)

    assert [json.loads(one.body)["title"] for one in receiver.taken] == ["a", "c"]
    assert json.loads(receiver.taken[1].body)["type"] == "warning"


def test_what_waited_for_a_channel_that_is_gone_is_not_forgotten(
    receiver: Receiver, database: Database, tmp_path: Path
) -> None:
    with session(database) as writing:
        writing.add(Delivery(key="k", channel="gone", state="held", title="t", at=NOON))

    messenger(receiver, database, tmp_path).tell_held(NOON + timedelta(hours=1))

    with reading(database) as looking:
        kept = looking.get_one(Delivery, ("k", "gone"))
        assert (kept.state, kept.error) == ("failed", "the channel is gone")


@pytest.mark.parametrize("path", ["/hang", "/trickle"])
def test_a_channel_that_does_not_answer_ends_with_its_time(
    receiver: Receiver, tmp_path: Path, path: str
) -> None:
    site = Contacts(
        channels={"slow": SecretStr(f"json://127.0.0.1:{receiver.port}{path}")},
        roles={"approver": ("channel:slow",)},
        timeout=0.3,
    )

    assert Channels(site).send("slow", "t", "", urgent=False) == "no answer within 0.3 s"


def test_a_channel_follows_no_redirect_and_tells_no_secret(
    receiver: Receiver, database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"json://u:{TOKEN}@127.0.0.1:{receiver.port}/{TOKEN}?redirect=yes"
    site = Contacts(channels={"a": SecretStr(url)}, roles={"approver": ("channel:a",)})
    channels = Channels(site)
    receiver.answers[f"/{TOKEN}"] = (307, {"location": receiver.at("/inside")}, TOKEN.encode())

    why = channels.send("a", "t", "", urgent=False)

    assert "error=307" in why
    assert receiver.paths() == [f"/{TOKEN}"]
    assert TOKEN not in f"{why} {caplog.text}"
    assert channels.shown("a") == f"json://127.0.0.1:{receiver.port}"


def test_a_channel_that_apprise_cannot_use_is_a_mistake_of_settings() -> None:
    site = Contacts(channels={"a": SecretStr("slack://s3cret")}, roles={"approver": ("channel:a",)})

    with pytest.raises(SettingsError, match=r"contacts\.channels\.a: Apprise cannot use") as caught:
        Channels(site)

    assert "s3cret" not in str(caught.value)
