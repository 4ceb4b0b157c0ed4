import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Condition, Thread
from typing import Any

import pytest

from soc import edge
from soc.edge import EdgeClient, EdgeMiddleware, Kind, Receive, Rule, Scope, Send, Snapshot

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
END = START + timedelta(hours=1)
ME = ("wallet:0xAB", "account:ada", "ip:192.0.2.7")
LIMIT = Rule(subject="wallet:0xab", kind=Kind.RATE_LIMIT, until=END, effect="a", rate=6, burst=3)
TIGHT = replace(LIMIT, effect="t", rate=1, burst=1)
QUARANTINE = Rule(subject="wallet:0xab", kind=Kind.QUARANTINE, until=END, effect="b")
ALLOW = Rule(subject="wallet:0xab", kind=Kind.ALLOW, until=END, effect="c")
NEIGHBOUR = replace(QUARANTINE, subject="wallet:0xac")
NETWORK = replace(LIMIT, subject="ip:192.0.2.0/24", effect="n")

# The rules in force, and what requests of 0xab at these seconds are answered.
CASES = {
    "no rule": ([], [(0, 200)]),
    "a neighbour's rule": ([NEIGHBOUR], [(0, 200)]),
    "quarantine ends by itself": ([QUARANTINE], [(0, 403), (3599, 403), (3600, 200)]),
    "limit ends by itself": ([LIMIT], [(0, 200)] * 3 + [(0, 429)] + [(3600, 200)] * 9),
    "allowance comes back": ([LIMIT], [(0, 200)] * 3 + [(9, 429), (10, 200), (10, 429)]),
    "unused allowance is not saved up": ([LIMIT], [(0, 200)] + [(99, 200)] * 3 + [(99, 429)]),
    "one a minute": ([TIGHT], [(0, 200), (59, 429), (60, 200)]),
    "strictest limit decides": ([LIMIT, TIGHT], [(0, 200), (0, 429)]),
    "quarantine is stricter than a limit": ([LIMIT, QUARANTINE], [(0, 403)]),
    "allow exempts from limits": ([LIMIT, TIGHT, ALLOW], [(0, 200)] * 9),
    "allow does not end a quarantine": ([QUARANTINE, ALLOW], [(0, 403)]),
    "allow ends too": ([replace(TIGHT, until=END + timedelta(hours=1)), ALLOW],
                       [(3599, 200), (3599, 200), (3600, 200), (3600, 429)]),
    "allow is for its own subject": ([TIGHT, replace(ALLOW, subject="ip:192.0.2.7")],
                                     [(0, 200), (0, 429)]),
    "an account's rule": ([replace(QUARANTINE, subject="account:ada")], [(0, 403)]),
    "an account keeps its capitals": ([replace(QUARANTINE, subject="account:Ada")], [(0, 200)]),
    "an address": ([replace(QUARANTINE, subject="ip:192.0.2.7")], [(0, 403)]),
    "a network": ([NETWORK], [(0, 200)] * 3 + [(0, 429)]),
    "another network": ([replace(QUARANTINE, subject="ip:198.51.100.0/24")], [(0, 200)]),
    "a network of the other family": ([replace(QUARANTINE, subject="ip:::/0")], [(0, 200)]),
    "an IPv4 address in IPv6": ([replace(QUARANTINE, subject="ip:::ffff:192.0.2.7")], [(0, 403)]),
    "allowed within a limited network": ([NETWORK, replace(ALLOW, subject="ip:192.0.2.7")],
                                         [(0, 200)] * 9),
    "all subjects must have allowance left": ([LIMIT, replace(NETWORK, rate=1, burst=1)],
                                              [(0, 200), (30, 429), (60, 200)]),
}  # fmt: skip


async def platform(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body"})


def ask(
    snapshot: Snapshot, second: float, protocol: str = "http", subjects: Sequence[str] = ME
) -> list[MutableMapping[str, Any]]:
    """Send the platform a real ASGI request, past the edge; return its response."""
    now = START + timedelta(seconds=second)
    app = EdgeMiddleware(platform, snapshot, lambda scope: scope["subjects"], lambda: now)

    async def request() -> list[MutableMapping[str, Any]]:
        wire: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
        await app({"type": protocol, "subjects": subjects}, wire.get, wire.put)
        return [wire.get_nowait(), wire.get_nowait()]

    return asyncio.run(request())


def status(snapshot: Snapshot, second: float) -> int:
    return int(ask(snapshot, second)[0]["status"])


def enforcing(*rules: Rule) -> Snapshot:
    snapshot = Snapshot()
    for rule in rules:
        snapshot.enforce(rule)
    return snapshot


@pytest.mark.parametrize(("rules", "answers"), CASES.values(), ids=CASES)
def test_requests_are_answered_by_the_rules_in_force(
    rules: list[Rule], answers: list[tuple[int, int]]
) -> None:
    snapshot = enforcing(*rules)

    statuses = [status(snapshot, second) for second, _ in answers]

    assert statuses == [expected for _, expected in answers]


@pytest.mark.parametrize("subject", ["", "wallet:", "ip:nowhere", "ip:", "nobody"])
def test_a_subject_that_is_none_passes_and_harms_nobody(subject: str) -> None:
    snapshot = enforcing(QUARANTINE, NETWORK)

    assert ask(snapshot, 0, subjects=[subject])[0]["status"] == 200


def test_what_is_not_http_passes_untouched() -> None:
    assert ask(enforcing(QUARANTINE), 0, "lifespan")[0]["status"] == 200


def test_a_new_rule_of_an_effect_takes_its_place_and_what_is_used_stays_used() -> None:
    snapshot = enforcing(TIGHT)
    assert status(snapshot, 0) == 200

    snapshot.enforce(replace(TIGHT, until=END + timedelta(hours=1)))

    assert status(snapshot, 1) == 429
    assert len(snapshot.rules(START)) == 1


def test_a_lifted_effect_is_forgotten_with_its_allowance() -> None:
    snapshot = enforcing(TIGHT, NETWORK)
    assert status(snapshot, 0) == 200

    snapshot.lift("t")
    snapshot.lift("never made")

    assert [rule.effect for rule in snapshot.rules(START)] == ["n"]
    assert status(snapshot, 0) == 200


def test_threads_share_one_allowance() -> None:
    snapshot = enforcing(replace(LIMIT, rate=1, burst=50))

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: snapshot.refusal(ME, START), range(400)))

    assert answers.count(None) == 50


BAD_RULES = {
    "a limit that lets nothing pass": {"rate": 0},
    "no number": {"rate": float("nan")},
    "so slow that time ends": {"rate": 1e-300},
    "no burst": {"burst": 0},
    "no zone": {"until": datetime(2026, 1, 1)},  # noqa: DTZ001  that is the mistake
    "no kind of subject": {"subject": "0xab"},
    "no address": {"subject": "ip:example.org"},
    "an effect that splits the header": {"effect": "a\r\nx: y"},
}


@pytest.mark.parametrize("change", BAD_RULES.values(), ids=BAD_RULES)
def test_what_cannot_be_obeyed_is_no_rule(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        replace(LIMIT, **change)


def test_a_refusal_names_its_effect_and_when_to_come_back() -> None:
    start, body = ask(enforcing(QUARANTINE), 0)

    headers = dict(start["headers"])
    assert headers[b"x-soc-effect"] == b"b"
    assert headers[b"retry-after"] == b"3600"
    assert json.loads(body["body"]) == {"error": "quarantined", "effect": "b", "retry_after": 3600}
    assert int(headers[b"content-length"]) == len(body["body"])


def test_the_file_runs_without_any_installed_package() -> None:
    file = Path(edge.__file__)

    subprocess.run([sys.executable, "-I", "-S", "-W", "error", file], check=True, timeout=60)


class Suite:
    """The suite's side of the edge, over real HTTP: it can be down, restart and send anything."""

    def __init__(self) -> None:
        self.reports: list[dict[str, Any]] = []
        self.answers: list[dict[str, Any]] = []
        self.tokens: set[str] = set()
        self.refuses = 0
        self.elsewhere: str | None = None
        self.changed = Condition()
        self.port = 0
        self.is_up = False
        self.up()

    def up(self) -> None:
        suite = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                suite.tokens.add(self.headers["Authorization"])
                if suite.refuses or suite.elsewhere:
                    code = suite.refuses or 302
                    self.send_response(code)
                    self.send_header("Location", suite.elsewhere or "")
                    self.end_headers()
                    return
                after = int(self.path.partition("after=")[2].partition("&")[0])
                answer = suite.next_answer(after)
                if answer is not None:
                    self.reply(answer)

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with suite.changed:
                    suite.reports.append(body)
                self.reply({})

            def reply(self, document: dict[str, Any]) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(document).encode())

        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        self.is_up = True
        self.thread = Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def down(self) -> None:
        with self.changed:
            self.is_up = False
            self.changed.notify_all()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def say(self, version: int, *rules: object, full: bool = False, removed: object = ()) -> None:
        """Send one answer to the long poll that waits, or to the next one."""
        answer = {"version": version, "full": full, "rules": rules, "removed": removed}
        with self.changed:
            self.answers.append(answer)
            self.changed.notify_all()

    def next_answer(self, after: int) -> dict[str, Any] | None:
        with self.changed:
            self.changed.wait_for(lambda: self.answers or not self.is_up, 20)
            if not self.is_up:
                return None
            if not self.answers:
                return {"version": after, "full": False, "rules": [], "removed": []}
            return self.answers.pop(0)


@pytest.fixture
def suite() -> Iterator[Suite]:
    suite = Suite()
    yield suite
    suite.down()


@pytest.fixture
def snapshot() -> Snapshot:
    return Snapshot()


@pytest.fixture
def client(suite: Suite, snapshot: Snapshot) -> Iterator[EdgeClient]:
    client = EdgeClient(
        f"http://127.0.0.1:{suite.port}/", "s3cret", snapshot, "shop", now=lambda: START, wait=20,
        max_pause=0.2,
    )  # fmt: skip
    client.start()
    yield client
    client.stop()
    suite.down()
    client.stop(patience=10)
    suite.up()


def raw(rule: Rule) -> dict[str, Any]:
    return {
        "subject": rule.subject,
        "kind": rule.kind.value,
        "rate": rule.rate or None,
        "burst": rule.burst or None,
        "until": rule.until.isoformat().replace("+00:00", "Z"),
        "effect": rule.effect,
    }


def soon(is_so: Callable[[], object]) -> None:
    """Wait until something is so, which other threads bring about."""
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline, "it never became so"
        time.sleep(0.005)


def effects(snapshot: Snapshot) -> list[str]:
    return [rule.effect for rule in snapshot.rules(START)]


def test_the_client_obeys_changes_and_reports_each(
    suite: Suite, client: EdgeClient, snapshot: Snapshot
) -> None:
    assert client.age is None
    suite.say(7, raw(LIMIT), raw(QUARANTINE), full=True)
    soon(lambda: len(suite.reports) == 1)
    suite.say(9, raw(NETWORK), removed=["b", "unknown"])
    soon(lambda: len(suite.reports) == 2)

    assert effects(snapshot) == ["a", "n"]
    assert [(each["version"], each["applied"], each["failed"]) for each in suite.reports] == [
        (7, 2, 0),
        (9, 2, 0),
    ]
    assert {each["edge"] for each in suite.reports} == {"shop"}
    assert all(isinstance(each["skew_ms"], int) for each in suite.reports)
    assert suite.tokens == {"Bearer s3cret"}
    assert client.version == 9
    assert client.error is None
    assert client.age is not None
    assert client.age < timedelta(seconds=30)


@pytest.mark.usefixtures("client")
def test_a_rule_that_cannot_be_read_spoils_no_other(suite: Suite, snapshot: Snapshot) -> None:
    endless = raw(ALLOW) | {"until": None}
    bad = [raw(LIMIT) | {"kind": "exile"}, raw(LIMIT) | {"until": None}, {}, "nonsense", None,
           raw(LIMIT) | {"burst": float("inf")}]  # fmt: skip
    suite.say(1, *bad, raw(QUARANTINE), endless, full=True)
    soon(lambda: suite.reports)

    assert effects(snapshot) == ["b", "c"]
    assert (suite.reports[0]["applied"], suite.reports[0]["failed"]) == (2, 6)


@pytest.mark.usefixtures("client")
def test_a_rule_that_cannot_be_read_is_told_until_it_is_replaced_or_removed(suite: Suite) -> None:
    bad = {"kind": "exile"}
    suite.say(1, raw(LIMIT) | bad, raw(QUARANTINE) | bad, full=True)
    soon(lambda: len(suite.reports) == 1)
    suite.say(2, raw(NETWORK))
    soon(lambda: len(suite.reports) == 2)
    suite.say(3, raw(QUARANTINE), removed=["n"])
    soon(lambda: len(suite.reports) == 3)
    suite.say(4, removed=["a"])
    soon(lambda: len(suite.reports) == 4)

    assert [each["failed"] for each in suite.reports] == [2, 2, 1, 0]


def test_an_edge_shows_that_it_lives_where_nothing_changes(
    suite: Suite, client: EdgeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite.say(1, raw(QUARANTINE), full=True)
    soon(lambda: len(suite.reports) == 1)
    suite.say(1)
    soon(lambda: not suite.answers)
    assert len(suite.reports) == 1

    monkeypatch.setattr(edge, "HEARTBEAT", 0.0)
    suite.say(1)

    soon(lambda: len(suite.reports) == 2)
    assert [each["version"] for each in suite.reports] == [1, 1]


def test_what_ended_is_forgotten_and_a_longer_end_counts() -> None:
    snapshot = enforcing(QUARANTINE, replace(NETWORK, until=END + timedelta(hours=1)))
    snapshot.enforce(replace(QUARANTINE, until=END + timedelta(hours=2)))

    counts = [snapshot.count(START + timedelta(hours=hour)) for hour in (0, 1, 2, 3)]

    assert counts == [2, 2, 1, 0]
    assert snapshot._networks.total() == 0
    assert snapshot._lengths == {}


def test_rules_outlive_the_suite_until_their_own_end(
    suite: Suite, client: EdgeClient, snapshot: Snapshot
) -> None:
    suite.say(1, raw(QUARANTINE), full=True)
    soon(lambda: suite.reports)

    suite.down()
    soon(lambda: client.error)

    assert status(snapshot, 3599) == 403
    assert status(snapshot, 3600) == 200
    suite.up()


def test_a_suite_that_comes_back_is_followed_again_and_a_full_answer_replaces_all(
    suite: Suite, client: EdgeClient, snapshot: Snapshot
) -> None:
    suite.say(5, raw(QUARANTINE), raw(LIMIT), full=True)
    soon(lambda: suite.reports)
    suite.down()
    soon(lambda: client.error)

    suite.up()
    suite.say(2, raw(NETWORK), full=True)
    soon(lambda: len(suite.reports) == 2)

    assert effects(snapshot) == ["n"]
    assert client.version == 2
    soon(lambda: client.error is None)


@pytest.mark.parametrize("code", [401, 500, 503])
def test_a_refused_token_or_a_broken_suite_is_seen_and_tried_again(
    suite: Suite, client: EdgeClient, code: int
) -> None:
    suite.refuses = code
    suite.say(1, full=True)  # ends the poll that is open
    soon(lambda: client.error and str(code) in client.error)

    suite.refuses = 0
    suite.say(3, full=True)
    soon(lambda: client.version == 3 and client.error is None)


def test_a_redirect_is_not_followed_with_the_token(suite: Suite, client: EdgeClient) -> None:
    other = Suite()
    suite.elsewhere = f"http://127.0.0.1:{other.port}/v1/edge/rules?after=0&wait=1"
    suite.say(1, full=True)

    soon(lambda: client.error and "302" in client.error)

    assert other.tokens == set()
    other.down()


def test_only_web_addresses_are_followed(snapshot: Snapshot) -> None:
    with pytest.raises(ValueError, match="http"):
        EdgeClient("file:///etc/passwd", "t", snapshot)
