"""Nothing that is not public is reached, however it is written, and nothing takes for ever."""

import socket
import ssl
import threading
import time
from pathlib import Path

import pytest

from soc.respond.outward import Found, Outward, is_public
from tests.servers.receiver import Receiver, receiving
from tests.web.serving import authority

ATTACKS = {
    "loopback": "http://127.0.0.1:{port}/",
    "another loopback": "http://127.9.9.9:{port}/",
    "its name": "http://localhost:{port}/",
    "loopback of IPv6": "http://[::1]:{port}/",
    "any address": "http://0.0.0.0:{port}/",
    "decimal": "http://2130706433:{port}/",
    "hexadecimal": "http://0x7f000001:{port}/",
    "hexadecimal with dots": "http://0x7f.0x0.0x0.0x1:{port}/",
    "octal": "http://0177.0.0.1:{port}/",
    "short": "http://127.1:{port}/",
    "mapped into IPv6": "http://[::ffff:127.0.0.1]:{port}/",
    "mapped, hexadecimal": "http://[::ffff:7f00:1]:{port}/",
    "compatible with IPv4": "http://[::127.0.0.1]:{port}/",
    "translated": "http://[64:ff9b::7f00:1]/",
    "translated locally": "http://[64:ff9b:1::7f00:1]/",
    "6to4": "http://[2002:7f00:1::]/",
    "teredo": "http://[2001:0:4136:e378:8000:63bf:80ff:fffe]/",
    "metadata of clouds": "http://169.254.169.254/latest/meta-data/",
    "link-local of IPv6": "http://[fe80::1]/",
    "private, ten": "http://10.0.0.1/",
    "private, 172": "http://172.16.0.1/",
    "private, 192": "http://192.168.0.1/",
    "carriers' own": "http://100.64.0.1/",
    "unique local of IPv6": "http://[fd00::1]/",
    "benchmarks": "http://198.18.0.1/",
    "documentation": "http://192.0.2.1/",
    "multicast": "http://224.0.0.1/",
    "multicast of IPv6": "http://[ff02::1]/",
    "broadcast": "http://255.255.255.255/",
    "a file": "file:///etc/passwd",
    "gopher": "gopher://127.0.0.1:{port}/_x",
    "ftp": "ftp://127.0.0.1:{port}/",
    "no scheme": "//127.0.0.1:{port}/",
    "no host": "http:///x",
    "a user": "http://example.org@127.0.0.1:{port}/",
    "a user and a password": "http://u:p@93.184.215.14/",
    "a port that is none": "http://93.184.215.14:99999/",
    "brackets that do not close": "http://[::1/",
    "a backslash": "http://127.0.0.1:{port}\\@example.org/",
}


def opened(receiver: Receiver, *more: str) -> Outward:
    return Outward([f"127.0.0.1:{receiver.port}", *more])


@pytest.mark.parametrize("url", ATTACKS.values(), ids=ATTACKS)
def test_what_is_not_public_is_refused_and_never_connected_to(
    receiver: Receiver, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[object] = []
    monkeypatch.setattr(socket.socket, "connect", lambda _self, address: tried.append(address))

    with pytest.raises(OSError, match=r"not public|only http|write no user|no URL|no such host"):
        Outward().request("GET", url.format(port=receiver.port), {}, seconds=5)

    assert tried == []
    assert receiver.taken == []


def test_public_addresses_are_public() -> None:
    assert is_public("93.184.215.14")
    assert is_public("2606:2800:21f:cb07:6820:80da:af6b:8b2c")
    assert is_public("::ffff:93.184.215.14")


def test_an_opened_pair_of_address_and_port_is_reached_and_no_other_port(
    receiver: Receiver,
) -> None:
    receiver.answers["/x"] = (200, {"X-Kind": "y"}, b"hello")

    answer = opened(receiver).request("POST", receiver.at("/x"), {"x-mine": "1"}, b"{}")

    assert (answer.status, answer.headers["x-kind"], answer.body) == (200, "y", b"hello")
    assert receiver.taken[0].headers["x-mine"] == "1"
    with pytest.raises(PermissionError, match="not public"):
        Outward([f"127.0.0.1:{receiver.port + 1}"]).request("GET", receiver.at("/x"), {})


def test_one_private_address_among_public_ones_refuses_all(receiver: Receiver) -> None:
    def both(_host: str, port: int) -> list[Found]:
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, ("93.184.215.14", port)), (*kind, ("10.0.0.1", port))]

    with pytest.raises(PermissionError, match=r"10\.0\.0\.1, which is not public"):
        Outward(resolve=both).request("GET", "http://two.example/", {})


def test_a_name_is_looked_up_once_and_the_checked_address_used(receiver: Receiver) -> None:
    asked: list[str] = []

    def rebinding(host: str, port: int) -> list[Found]:
        """Answer well at first, and then with what must not be reached."""
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "127.0.0.2"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    outward = Outward([f"127.0.0.1:{receiver.port}"], resolve=rebinding)

    answer = outward.request("GET", f"http://rebind.example:{receiver.port}/", {})

    assert answer.status == 200
    assert asked == ["rebind.example"]
    assert receiver.taken[0].headers["host"] == f"rebind.example:{receiver.port}"
    with pytest.raises(PermissionError, match=r"127\.0\.0\.2, which is not public"):
        outward.request("GET", f"http://rebind.example:{receiver.port}/", {})


REDIRECTS = {
    "to metadata": ("http://169.254.169.254/", "not public"),
    "to another port of this machine": ("http://127.0.0.1:1/", "not public"),
    "to its name": ("http://localhost:1/", "not public"),
    "to a file": ("file:///etc/passwd", "only http"),
    "to a gopher": ("gopher://127.0.0.1/", "only http"),
    "to itself, for ever": ("/r", "more than 3 times"),
    "to no URL": ("http://[::1/", "no URL"),
}


@pytest.mark.parametrize(("there", "why"), REDIRECTS.values(), ids=REDIRECTS)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_checked_like_the_first_url(
    receiver: Receiver, status: int, there: str, why: str
) -> None:
    receiver.answers["/r"] = (status, {"location": there}, b"")

    with pytest.raises(OSError, match=why):
        opened(receiver).request("GET", receiver.at("/r"), {}, seconds=5)

    assert set(receiver.paths()) == {"/r"}
    assert len(receiver.taken) <= 4


def test_another_host_gets_no_headers_and_no_body(receiver: Receiver) -> None:
    with receiving() as other:
        receiver.answers["/r"] = (302, {"location": other.at("/there")}, b"")
        receiver.answers["/again"] = (307, {"location": other.at("/there")}, b"")
        outward = opened(receiver, f"127.0.0.1:{other.port}")
        given = {"Authorization": "Bearer s3cret", "X-Api-Key": "s3cret", "Accept": "text/plain"}

        outward.request("POST", receiver.at("/r"), given, b"body")
        with pytest.raises(PermissionError, match="to another host"):
            outward.request("POST", receiver.at("/again"), given, b"body")

    (there,) = other.taken
    assert (there.method, there.body, there.headers["accept"]) == ("GET", b"", "text/plain")
    assert "s3cret" not in str(there)
    assert receiver.taken[0].headers["authorization"] == "Bearer s3cret"


def test_the_same_host_gets_all_again(receiver: Receiver) -> None:
    receiver.answers["/r"] = (307, {"location": "/there"}, b"")

    opened(receiver).request("POST", receiver.at("/r"), {"X-Api-Key": "k"}, b"body")

    assert receiver.paths() == ["/r", "/there"]
    assert (receiver.taken[1].body, receiver.taken[1].headers["x-api-key"]) == (b"body", "k")


def test_proxies_and_logins_of_the_environment_are_ignored(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with receiving() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
            monkeypatch.setenv(name, proxy.at(""))
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login u password s3cret\n")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))

        opened(receiver).request("GET", receiver.at("/x"), {})

    assert proxy.taken == []
    assert "authorization" not in receiver.taken[0].headers


def test_a_long_answer_is_cut_off(receiver: Receiver) -> None:
    receiver.answers["/long"] = (200, {}, b"x" * 1_000_001)
    receiver.answers["/just"] = (200, {}, b"x" * 1_000_000)

    with pytest.raises(OSError, match="longer than 1000000 bytes"):
        opened(receiver).request("GET", receiver.at("/long"), {})
    assert len(opened(receiver).request("GET", receiver.at("/just"), {}).body) == 1_000_000


def test_a_compressed_answer_is_not_unpacked(receiver: Receiver) -> None:
    receiver.answers["/bomb"] = (200, {"content-encoding": "gzip"}, b"\x1f\x8b")

    with pytest.raises(OSError, match="compressed"):
        opened(receiver).request("GET", receiver.at("/bomb"), {})


@pytest.mark.parametrize("path", ["/hang", "/trickle"])
def test_a_slow_answer_ends_with_its_time_and_leaves_no_thread(
    receiver: Receiver, path: str
) -> None:
    began = time.monotonic()

    with pytest.raises(TimeoutError, match=r"no answer within 0\.3 s|did not answer in time"):
        opened(receiver).request("GET", receiver.at(path), {}, seconds=0.3)

    assert time.monotonic() - began < 3
    end = time.monotonic() + 5
    while any("carry" in thread.name for thread in threading.enumerate()):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_name_server_that_hangs_ends_with_its_time() -> None:
    over = threading.Event()

    def hanging(_host: str, _port: int) -> list[Found]:
        over.wait(10)
        return []

    with pytest.raises(TimeoutError, match=r"no answer within 0\.2 s"):
        Outward(resolve=hanging).request("GET", "http://slow.example/", {}, seconds=0.2)
    over.set()


def test_tls_is_checked_against_the_name_and_not_the_address(tmp_path: Path) -> None:
    ours = authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*ours.sign("shop.example"))
    names: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)

    def here(_host: str, port: int) -> list[Found]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    with receiving(context) as receiver:
        outward = Outward([f"127.0.0.1:{receiver.port}"], ca=ours.path, resolve=here)
        stranger = Outward([f"127.0.0.1:{receiver.port}"], resolve=here)

        good = outward.request("GET", f"https://shop.example:{receiver.port}/", {})
        with pytest.raises(OSError, match=r"other\.example: its certificate is not trusted"):
            outward.request("GET", f"https://other.example:{receiver.port}/", {})
        with pytest.raises(OSError, match=r"shop\.example: its certificate is not trusted"):
            stranger.request("GET", f"https://shop.example:{receiver.port}/", {})

    assert good.status == 200
    assert names == ["shop.example", "other.example", "shop.example"]
    assert len(receiver.taken) == 1
