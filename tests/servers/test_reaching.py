"""Mail over real SMTP, webhooks that fail, hang and redirect: what happened is told, in time."""

import email
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from pydantic import SecretStr

from soc.contacts import Contacts
from soc.respond.channels import Channels
from tests.servers import machine
from tests.servers.receiver import Receiver, receiving

pytestmark = pytest.mark.server


class Sink:
    """Takes mail for everybody but ``nobody@…``."""

    def __init__(self) -> None:
        self.taken: list[tuple[list[str], Message]] = []

    async def handle_RCPT(  # noqa: N802 - the library's own name
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        if address.startswith("nobody@"):
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        made = email.message_from_bytes(envelope.content or b"", policy=default)  # type: ignore[arg-type]
        self.taken.append((envelope.rcpt_tos, made))
        return "250 taken"


@contextmanager
def mail() -> Iterator[tuple[Sink, int]]:
    """Give an SMTP server, and its port."""
    sink, port = Sink(), machine.free_port()
    controller = Controller(sink, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield sink, port
    finally:
        controller.stop()


def channels(url: str, timeout: float = 10.0) -> Channels:
    return Channels(
        Contacts(
            channels={"it": SecretStr(url)}, roles={"approver": ("channel:it",)}, timeout=timeout
        )
    )


def parts(message: Message) -> dict[str, str]:
    return {
        part.get_content_type(): part.get_payload(decode=True).decode()  # type: ignore[union-attr]
        for part in message.walk()
        if not part.is_multipart()
    }


@pytest.mark.parametrize("form", ["", "&format=html"], ids=["text", "html"])
def test_mail_arrives_as_it_was_meant_and_nothing_in_it_is_obeyed(form: str) -> None:
    title = "INC-7: <b>drain</b>\r\nBcc: evil@example.org"
    text = "A wallet <script>alert(1)</script> & twelve others\nsecond line"
    with mail() as (sink, port):
        url = f"mailto://127.0.0.1:{port}?from=soc@example.org&to=ops@example.org{form}"

        why = channels(url).send("it", title, text, urgent=True)

    assert why == ""
    ((to, message),) = sink.taken
    assert to == ["ops@example.org"]
    assert message["Subject"] == "INC-7: <b>drain</b> Bcc: evil@example.org"
    assert message["Bcc"] is None
    shown = parts(message)
    assert "twelve others" in "".join(shown.values())
    assert "<script>" not in shown.get("text/html", "")


MAILBOXES = {
    "a mailbox that is not there": ("to=nobody@example.org", "mail"),
    "a server that is not there": ("to=ops@example.org", "none"),
}


@pytest.mark.parametrize(("query", "where"), MAILBOXES.values(), ids=MAILBOXES)
def test_mail_that_is_not_taken_is_a_failure_with_a_reason(query: str, where: str) -> None:
    with mail() as (sink, port):
        there = port if where == "mail" else machine.free_port()
        url = f"mailto://127.0.0.1:{there}?from=soc@example.org&{query}"

        why = channels(url).send("it", "t", "x", urgent=False)

    assert why
    assert sink.taken == []


def test_a_mail_server_that_never_greets_ends_with_its_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        url = f"mailto://127.0.0.1:{port}?from=soc@example.org&to=ops@example.org"
        began = time.monotonic()

        why = channels(url, timeout=1.0).send("it", "t", "x", urgent=False)

    assert why == "no answer within 1 s"
    assert time.monotonic() - began < 5


def told(home: Path, receiver: Receiver, port: int) -> tuple[int, dict[str, dict[str, Any]]]:
    """Run ``soc notify test`` on one role with a channel of every kind."""
    web = f"json://u:s3cret-token@127.0.0.1:{receiver.port}"
    query = "from=soc@example.org&to=ops@example.org"
    urls = {
        "good": f"{web}/good",
        "broken": f"{web}/broken",
        "hanging": f"{web}/hang",
        "trickling": f"{web}/trickle",
        "moved": f"{web}/moved?redirect=yes",
        "mailbox": f"mailto://127.0.0.1:{port}?{query}",
    }
    ways = [f"channel:{name}" for name in urls]
    site = {"channels": urls, "roles": {"approver": ways}, "timeout": 2.0}
    (home / "settings.yml").write_text(json.dumps({"contacts": site}))
    command = [sys.executable, "-m", "soc.cli.main", "notify", "test", "role:approver"]
    done = subprocess.run(
        [*command, "--json", "--home", str(home)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "s3cret" not in done.stdout + done.stderr
    assert done.stderr == ""
    return done.returncode, {row["channel"]: row for row in json.loads(done.stdout)}


def test_each_way_says_what_happened_while_others_fail_hang_and_lead_astray(home: Path) -> None:
    with receiving() as receiver, receiving() as inside, mail() as (sink, port):
        receiver.answers["/broken"] = (503, {}, b"s3cret-token is wrong")
        receiver.answers["/moved"] = (307, {"location": inside.at("/admin")}, b"")
        began = time.monotonic()

        code, rows = told(home, receiver, port)

        took = time.monotonic() - began

    assert code == 1
    assert {name: row["state"] for name, row in rows.items()} == {
        "outbox": "sent",
        "good": "sent",
        "mailbox": "sent",
        "broken": "failed",
        "hanging": "failed",
        "trickling": "failed",
        "moved": "failed",
    }
    assert "error=503" in rows["broken"]["why"]
    assert rows["hanging"]["why"] == rows["trickling"]["why"] == "no answer within 2 s"
    assert "error=307" in rows["moved"]["why"]
    assert inside.taken == []
    assert len(sink.taken) == 1
    assert took < 30
    assert len(list((home / "outbox").glob("*.json"))) == 1
