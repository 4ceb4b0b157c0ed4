"""A real nginx asks a real suite, as our page says: what it answers while limits come and go."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from soc.app.suite import Suite
from soc.respond import ledger, reconcile
from soc.store.session import reading, session
from soc.store.tables import Edge
from tests.respond.effects import enforce
from tests.servers import machine, nginx
from tests.servers.nginx import Nginx
from tests.web.serving import Served, make_home, serving

pytestmark = [pytest.mark.server, pytest.mark.timeout(180)]


@dataclass(frozen=True)
class Site:
    suite: Suite
    served: Served
    nginx: Nginx
    map: Path

    def ask(self, session: str = "", method: str = "GET", **headers: str) -> requests.Response:
        with requests.Session() as client:
            client.trust_env = False
            url = f"http://127.0.0.1:{self.nginx.port}/donate"
            cookies = {"session": session} if session else {}
            return client.request(method, url, cookies=cookies, headers=headers, timeout=10)

    def statuses(self, session: str, count: int = 1, method: str = "GET") -> list[int]:
        return [self.ask(session, method).status_code for _ in range(count)]

    def enforce(self, name: str, wallet: str, seconds: float = 600, **more: object) -> None:
        with session(self.suite.database) as writing:
            lasts = timedelta(seconds=seconds)
            enforce(
                writing, name, datetime.now(UTC), subject=f"wallet:{wallet}", lasts=lasts, **more
            )

    def lift(self, name: str) -> None:
        with session(self.suite.database) as writing:
            ledger.lift(writing, name, "user:rhea", datetime.now(UTC))

    def mapped(self) -> bool:
        """Return whether nginx has read the newest map."""
        with reading(self.suite.database) as looking:
            edge = looking.get(Edge, "nginx")
            return edge is not None and edge.version == ledger.version(looking)


def soon(is_so: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it never became so"
        time.sleep(0.05)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    home = tmp_path / "home"
    port = machine.free_port()
    tokens = make_home(home, nginx="authz")
    with machine.obtained(nginx.prepared(port, tokens["nginx"])) as (running, quarantines):
        words = ", ".join(running.reload)
        settings = (
            f"web: {{port: {port}}}\nedges: {{nginx: {{file: {quarantines}, reload: [{words}]}}}}\n"
        )
        (home / "settings.yml").write_text(settings)
        with serving(home) as served:
            assert urlsplit(served.ready[0]).port == port
            suite = Suite(home)
            made = Site(suite, served, running, quarantines)
            soon(made.mapped)
            yield made
            suite.database.dispose()


def front_of(served: Served) -> int:
    """Return the process number of the front door among the children of the suite."""
    children = Path(f"/proc/{served.process.pid}/task/{served.process.pid}/children").read_text()
    return next(
        int(child)
        for child in children.split()
        if b"front" in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
    )


def test_who_is_held_back_is_told_so_until_it_ends_or_is_lifted(site: Site) -> None:
    assert site.statuses("ada") == [200]

    site.enforce("EF-1", "0xaa", seconds=4)
    answer = site.ask("ada")
    assert (answer.status_code, answer.headers["X-Soc-Effect"]) == (403, "EF-1")
    assert site.statuses("bob") == [200]
    soon(lambda: site.statuses("ada") == [200], 10)

    site.enforce("EF-2", "0xbb", kind="rate_limit", rate=6, burst=3)
    assert site.statuses("bob", 5) == [200, 200, 200, 429, 429]
    limited = site.ask("bob")
    assert limited.headers["X-Soc-Effect"] == "EF-2"
    assert 1 <= int(limited.headers["Retry-After"]) <= 10
    site.lift("EF-2")
    assert site.statuses("bob", 5) == [200] * 5


def test_a_client_cannot_say_who_it_is(site: Site) -> None:
    site.enforce("EF-1", "0xaa")
    tricks = {
        "X-Soc-Subject": "wallet:0xfree",
        "x_soc_subject": "wallet:0xfree",
        "X-Soc-Wallet": "0xfree",
        "Authorization": "Bearer soc_of_the_client",
        "X-Original-URI": "/healthz",
    }
    assert site.statuses("ada") == [403]
    assert [site.ask("ada", **{name: said}).status_code for name, said in tricks.items()] == [
        403
    ] * 5

    doubled = (
        b"GET /donate HTTP/1.1\r\nHost: a\r\nCookie: session=ada\r\n"
        b"X-Soc-Subject: wallet:0xfree\r\nX-Soc-Subject: wallet:0xfree2\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", site.nginx.port), 10) as opened:
        opened.sendall(doubled)
        assert opened.recv(1000).startswith(b"HTTP/1.1 403 ")
    internal = requests.get(f"http://127.0.0.1:{site.nginx.port}/_soc", timeout=10)
    own = requests.get(f"http://127.0.0.1:{site.nginx.port}/own/403", timeout=10)
    assert internal.status_code == 404
    assert (own.status_code, own.text) == (403, "the platform's own")


def test_while_the_suite_is_away_reads_pass_writes_do_not_and_quarantines_hold(site: Site) -> None:
    site.enforce("EF-1", "0xaa")
    site.enforce("EF-2", "0xcc", seconds=12)
    soon(site.mapped)
    soon(lambda: site.map.read_text().count("EF-") == 2)
    began = time.monotonic()
    front = front_of(site.served)

    os.kill(front, signal.SIGSTOP)
    try:
        frozen = {mode: site.ask("dan", mode) for mode in ("GET", "HEAD", "POST")}
        took = time.monotonic() - began
        held = site.ask("ada")
    finally:
        os.kill(front, signal.SIGCONT)
    site.served.stop()
    dead = {mode: site.ask("dan", mode) for mode in ("GET", "HEAD", "POST")}

    for answers in (frozen, dead):
        statuses = {mode: answer.status_code for mode, answer in answers.items()}
        assert statuses == {"GET": 200, "HEAD": 200, "POST": 503}
        assert answers["POST"].headers["Retry-After"] == "5"
    assert took < 10
    assert (held.status_code, held.headers["X-Soc-Effect"]) == (403, "EF-1")
    assert site.statuses("ada", method="POST") == [403]
    soon(lambda: site.statuses("cas") == [200], 20)
    assert site.statuses("ada") == [403]


def test_the_map_is_loaded_anew_at_every_change_and_nginx_counts_as_an_edge(site: Site) -> None:
    site.enforce("EF-1", "0xaa")
    site.enforce("EF-2", "0xbb", kind="rate_limit", rate=6, burst=3)
    soon(site.mapped)

    assert [line.partition(" ")[0] for line in site.map.read_text().splitlines()[1:]] == [
        '"wallet:0xaa"'
    ]
    with reading(site.suite.database) as looking:
        found = reconcile.standing(looking, site.suite.settings.edges, datetime.now(UTC))
    assert [effect.waits_for for effect in found.effects] == [(), ()]
    assert all(effect.verified for effect in found.effects)
    site.lift("EF-1")
    soon(lambda: site.mapped() and '"wallet' not in site.map.read_text())
    soon(lambda: site.statuses("ada") == [200])  # workers of the old map may still answer
