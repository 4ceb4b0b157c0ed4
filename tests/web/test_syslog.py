"""A running suite takes syslog over TCP, TLS and UDP, and stores it before it stops."""

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from soc.errors import SettingsError
from soc.logs.reader import LogReader
from soc.settings import read
from tests.web.serving import Served, authority, make_home, serving

SETTINGS = """
web: {port: 0}
inputs:
  syslog:
    - {bind: "127.0.0.1:0", protocol: tcp, source: hosts}
    - {bind: "127.0.0.1:0", protocol: tls, source: safe, tls: {cert: soc.pem, key: soc.key}}
    - {bind: "127.0.0.1:0", protocol: udp, source: lossy, zone: Europe/Berlin}
"""
T = "2026-11-23T12:00:00Z"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A front door that takes syslog in every way."""
    home = tmp_path_factory.mktemp("site") / "home"
    make_home(home, SETTINGS)
    authority(home).sign("soc")
    with serving(home, addresses=4, command="front") as served:
        yield served


def stored(home: Path, count: int, source: str = "") -> list[dict[str, object]]:
    """Return the rows, of *source* if it is given, once there are *count* of them."""
    reader = LogReader(home / "events")
    for _ in range(400):
        rows = reader.scan(0, 10_000).table.to_pylist()
        found = [row for row in rows if row["source"] == (source or row["source"])]
        if len(found) >= count:
            break
        time.sleep(0.05)
    return found


def place(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 0


def tcp(url: str, data: bytes, home: Path) -> None:
    with socket.create_connection(place(url), 20) as opened:
        opened.sendall(data)


def tls(url: str, data: bytes, home: Path) -> None:
    context = ssl.create_default_context(cafile=str(home / "ca.pem"))
    with (
        socket.create_connection(place(url), 20) as opened,
        context.wrap_socket(opened, server_hostname="127.0.0.1") as wrapped,
    ):
        wrapped.sendall(data)


def udp(url: str, data: bytes, home: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        for line in data.splitlines():
            opened.sendto(line, place(url))


@pytest.mark.parametrize(
    ("at", "send", "source"), [(1, tcp, "hosts"), (2, tls, "safe"), (3, udp, "lossy")]
)
def test_every_message_is_an_event_of_the_inputs_source(
    site: Served, at: int, send: Callable[[str, bytes, Path], None], source: str
) -> None:
    lines = b"".join(b"<13>1 %s h app - - - m%d\n" % (T.encode(), n) for n in range(50))

    send(site.ready[at], lines, site.home)

    rows = stored(site.home, 50, source)
    assert [row["message"] for row in rows] == [f"m{n}" for n in range(50)]
    assert all('"log.source.address":"127.0.0.1"' in str(row["raw"]) for row in rows)


def test_what_was_sent_before_the_stop_is_stored(tmp_path: Path) -> None:
    home = tmp_path / "home"
    make_home(home, SETTINGS)
    authority(home).sign("soc")
    lines = b"".join(b"<13>1 %s h app - - - m%d\n" % (T.encode(), n) for n in range(5_000))

    with serving(home, addresses=4) as served:
        with socket.create_connection(place(served.ready[1]), 20) as opened:
            opened.sendall(lines)
            opened.shutdown(socket.SHUT_WR)
            opened.recv(1)  # closed by the other side when all was read
        code = served.stop()

    assert code == 0
    assert len(stored(home, 5_000)) == 5_000


WRONG = {
    "open to all": ('{bind: "192.0.2.1:514", protocol: udp, source: s}', "say who may send, such as senders:"),
    "tls without certificates": ('{bind: "127.0.0.1:514", protocol: tls, source: s}', "protocol tls needs tls"),
    "an unknown protocol": ('{bind: "127.0.0.1:514", protocol: relp, source: s}', "'tcp', 'tls' or 'udp'"),
    "an unknown zone": ('{bind: "127.0.0.1:514", protocol: tcp, source: s, zone: Mars}', "Europe/Berlin"),
    "a name that nobody can read": ('{bind: "127.0.0.1:514", protocol: tcp, source: "a\\u0007"}', "plain characters"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "reason"), WRONG.values(), ids=WRONG)
def test_an_input_that_must_not_be_is_told_with_its_line(
    tmp_path: Path, text: str, reason: str
) -> None:
    path = tmp_path / "settings.yml"
    path.write_text(f"inputs:\n  syslog: [{text}]\n")

    with pytest.raises(SettingsError) as caught:
        read(path, {})

    assert f"{path}:2: " in str(caught.value)
    assert reason in str(caught.value)


def test_a_source_that_used_up_its_day_is_held_and_told(tmp_path: Path) -> None:
    home = tmp_path / "home"
    make_home(home, f"{SETTINGS}  sources: [{{name: hosts, daily: 3}}]\n")
    authority(home).sign("soc")

    with (
        serving(home, addresses=4, command="front") as served,
        socket.create_connection(place(served.ready[1]), 20) as opened,
    ):
        for number in range(5):
            opened.sendall(b"<13>1 %s h app - - - m%d\n" % (T.encode(), number))
            stored(home, min(number + 1, 4))
        rows = stored(home, 4)

    assert [row["message"] for row in rows if row["source"] == "hosts"] == ["m0", "m1", "m2"]
    (told,) = [row["message"] for row in rows if row["source"] == "soc"]
    assert told == "source hosts may bring 3 events a day: raise inputs.sources"
