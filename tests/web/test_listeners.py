"""Each address serves what its listener says, over the TLS that it says, and nothing else."""

import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPSConnection, RemoteDisconnected
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from soc.errors import SettingsError
from soc.model.listener import Area
from soc.settings import read
from soc.web.app import build
from soc.web.doors import areas_of
from soc.web.front import Front
from tests.web.serving import Authority, Served, authority, make_home, refused, serving

T = "2026-11-23T12:00:00Z"
PAIR = f'{{"create":{{}}}}\n{{"@timestamp":"{T}"}}\n'
SETTINGS = """
web:
  listeners:
    - {bind: "127.0.0.1:0", serve: [console]}
    - {bind: "127.0.0.1:0", serve: [ingest], tls: {cert: tls/soc.pem, key: tls/soc.key}}
    - {bind: "127.0.0.1:0", serve: [api, authz], tls: {cert: tls/soc.pem, key: tls/soc.key, client_ca: tls/ca.pem}}
"""


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, ours: Authority
) -> Iterator[tuple[Served, dict[str, str]]]:
    home = tmp_path_factory.mktemp("site") / "home"
    tokens = make_home(home, SETTINGS, shipper="ingest", reader="read")
    ours.sign("soc")
    shutil.copytree(ours.folder, home / "tls")
    with serving(home, addresses=3) as served:
        yield served, tokens


def auth(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_every_address_is_told_with_its_scheme(site: tuple[Served, dict[str, str]]) -> None:
    assert [urlsplit(url).scheme for url in site[0].ready] == ["http", "https", "https"]


def test_events_are_taken_over_tls(site: tuple[Served, dict[str, str]], ours: Authority) -> None:
    served, tokens = site
    url = f"{served.ready[1]}/www/_bulk"

    answer = requests.post(
        url, data=PAIR, headers=auth(tokens["shipper"]), verify=str(ours.path), timeout=20
    )

    assert (answer.status_code, answer.json()["errors"]) == (200, False)


def test_a_certificate_of_another_authority_is_not_believed(
    site: tuple[Served, dict[str, str]], tmp_path: Path
) -> None:
    stranger = authority(tmp_path)

    with pytest.raises(requests.exceptions.SSLError):
        requests.get(site[0].ready[1], verify=str(stranger.path), timeout=20)


def test_a_certificate_that_was_renewed_is_shown_without_a_restart(tmp_path: Path) -> None:
    home = tmp_path / "home"
    make_home(
        home, "web: {listeners: [{bind: '127.0.0.1:0', tls: {cert: soc.pem, key: soc.key}}]}\n"
    )
    authority(home).sign("soc")
    with serving(home, command="front") as served:
        address = urlsplit(served.ready[0])
        place = (address.hostname or "", address.port or 0)
        first = ssl.get_server_certificate(place)
        (home / "soc.pem").write_text("half a certifi")
        time.sleep(2.5)
        still = ssl.get_server_certificate(place)

        authority(home).sign("soc")

        end = time.monotonic() + 20
        while ssl.get_server_certificate(place) == first and time.monotonic() < end:
            time.sleep(0.2)
        assert still == first
        assert ssl.get_server_certificate(place) == (home / "soc.pem").read_text()


@pytest.mark.parametrize(
    ("listener", "path", "status"),
    [
        (0, "/login", 200),
        (0, "/www/_bulk", 404),
        (0, "/api/v1/incidents", 404),
        (0, "/healthz", 200),
        (1, "/_cluster/health", 200),
        (1, "/", 200),
        (1, "/login", 404),
        (1, "/queue", 404),
        (1, "/api/v1/incidents", 404),
        (1, "/authz", 404),
        (1, "/healthz", 200),
    ],
)
def test_a_path_that_is_not_served_at_an_address_is_not_there(
    site: tuple[Served, dict[str, str]], ours: Authority, listener: int, path: str, status: int
) -> None:
    answer = requests.get(site[0].ready[listener] + path, verify=str(ours.path), timeout=20)

    assert answer.status_code == status


def test_a_browser_is_not_led_to_pages_that_are_elsewhere(
    site: tuple[Served, dict[str, str]], ours: Authority
) -> None:
    asked = {"Accept": "text/html"}

    answer = requests.get(site[0].ready[1], headers=asked, verify=str(ours.path), timeout=20)

    assert answer.status_code == 404


def test_where_clients_show_certificates_nobody_gets_in_without(
    site: tuple[Served, dict[str, str]], ours: Authority
) -> None:
    served, tokens = site
    url = f"{served.ready[2]}/api/v1/incidents"
    mine = tuple(map(str, ours.sign("agent")))
    place = urlsplit(url)
    trusting = ssl.create_default_context(cafile=str(ours.path))

    with_one = requests.get(
        url, headers=auth(tokens["reader"]), cert=mine, verify=str(ours.path), timeout=20
    )
    without = HTTPSConnection(place.hostname or "", place.port, context=trusting, timeout=20)
    with pytest.raises((ssl.SSLError, ConnectionError, RemoteDisconnected)):
        _ask(without, place.path)

    without.close()
    assert with_one.status_code == 200


def _ask(connection: HTTPSConnection, path: str) -> None:
    """The server's refusal comes, in TLS 1.3, with the first answer."""
    connection.request("GET", path)
    connection.getresponse()


def test_no_tls_of_old_is_spoken(site: tuple[Served, dict[str, str]], ours: Authority) -> None:
    place = urlsplit(site[0].ready[1])
    old = ssl.create_default_context(cafile=str(ours.path))
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1

    with (
        socket.create_connection((place.hostname, place.port), 20) as opened,
        pytest.raises(ssl.SSLError),
    ):
        old.wrap_socket(opened, server_hostname="127.0.0.1")


def test_the_homes_socket_serves_everything(
    site: tuple[Served, dict[str, str]], tmp_path: Path
) -> None:
    lines = tmp_path / "a"
    lines.write_text(f'{{"@timestamp":"{T}"}}\n')
    command = [
        sys.executable,
        "-m",
        "soc.cli.main",
        "ingest",
        str(lines),
        "--home",
        str(site[0].home),
    ]

    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert "accepted: 1" in done.stdout


UNSAFE = {
    "an open address in the clear": ('{bind: "192.0.2.1:80"}', "192.0.2.1:80: without TLS only loopback is served"),
    "all addresses in the clear": ('{bind: "0.0.0.0:80"}', "name the proxy before it in web.trusted_proxy"),
    "no port": ("{bind: localhost}", "write an address and a port"),
    "a name": ('{bind: "example.org:80"}', "write an address and a port"),
    "no key": ('{bind: "192.0.2.1:80", tls: {cert: a}}', "key is missing: write it"),
    "an unknown area": ('{bind: "127.0.0.1:80", serve: [all]}', "'ingest', 'authz', 'api', 'console' or 'public'"),
    "nothing": ('{bind: "127.0.0.1:80", serve: []}', "at least 1 item"),
    "twice": ('{bind: "127.0.0.1:80"}, {bind: "127.0.0.1:80"}', "127.0.0.1:80 is here twice"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "reason"), UNSAFE.values(), ids=UNSAFE)
def test_a_listener_that_must_not_be_is_told_before_anything_starts(
    tmp_path: Path, text: str, reason: str
) -> None:
    path = tmp_path / "settings.yml"
    path.write_text(f"web:\n  listeners: [{text}]\n")

    with pytest.raises(SettingsError) as caught:
        read(path, {})

    assert f"{path}:2: " in str(caught.value)
    assert reason in str(caught.value)


def test_behind_a_trusted_proxy_an_open_address_needs_no_tls(tmp_path: Path) -> None:
    path = tmp_path / "settings.yml"
    path.write_text('web: {trusted_proxy: ["192.0.2.9"], listeners: [{bind: "192.0.2.1:80"}]}\n')

    assert read(path, {}).web.listeners[0].serve == tuple(Area)


def test_a_certificate_that_is_not_there_stops_the_start_by_name(tmp_path: Path) -> None:
    make_home(
        tmp_path / "home",
        'web: {listeners: [{bind: "127.0.0.1:0", tls: {cert: a.pem, key: a.key}}]}\n',
    )

    said = refused(tmp_path / "home")

    assert "a.pem: no such file: write the path of a PEM file in tls" in said


def test_every_route_is_in_an_area_that_fits_its_name(front: Front) -> None:
    named = {
        "/_bulk": Area.INGEST, "/{index}/_bulk": Area.INGEST, "/_cat/health": Area.INGEST,
        "/_cluster/health": Area.INGEST, "/authz": Area.AUTHZ, "/v1/edge/rules": Area.AUTHZ,
        "/v1/edge/report": Area.AUTHZ, "/api/openapi.json": Area.API, "/login": Area.CONSOLE,
        "/queue": Area.CONSOLE, "/static": Area.CONSOLE,
    }  # fmt: skip
    paths = {route.path for route in build(front).routes if hasattr(route, "path")}
    paths |= set(build(front).openapi()["paths"])

    assert {path for path, area in named.items() if areas_of(path) != {area}} == set()
    assert [p for p in paths if p.startswith("/api/") and Area.API not in areas_of(p)] == []
    assert [p for p in paths if p.startswith("/v1/") and Area.CONSOLE in areas_of(p)] == []
    assert [p for p in paths if p.startswith("/_") and areas_of(p) != {Area.INGEST}] == []
