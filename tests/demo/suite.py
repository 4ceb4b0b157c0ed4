"""What the platform and the driver need of the suite, over real HTTP, and a record of it all."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from typing import Any
from urllib.parse import urlsplit


class Suite:
    """Takes bulk requests, hands out edge rules and approvals, and can fail in several ways.

    outage: the status that every bulk request gets. busy: how many items of the next bulk request
    are told to come again. wrong: ids that are refused for good. arms: variants of wallets.
    asked: the wallets that were asked for.
    """

    def __init__(self) -> None:
        self.changed = Condition()
        self.events: list[dict[str, Any]] = []
        self.indices: list[str] = []
        self.batches: list[int] = []
        self.bulk_tokens: set[str] = set()
        self.edge_reports: list[dict[str, Any]] = []
        self.decisions: list[tuple[str, dict[str, Any]]] = []
        self.pending: list[dict[str, Any]] = []
        self.outage: int | None = None
        self.busy = 0
        self.wrong: set[str] = set()
        self.arms: dict[str, str] = {}
        self.asked: list[str] = []
        self.version = 1
        self.rules: list[dict[str, Any]] = []
        self.is_open = True
        self.server = ThreadingHTTPServer(
            ("127.0.0.1", 0), type("Bound", (Handler,), {"suite": self})
        )
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        with self.changed:
            self.is_open = False
            self.changed.notify_all()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def enforce(self, *rules: dict[str, Any]) -> None:
        """Make the edges obey *rules* alone; return when one has said that it does."""
        with self.changed:
            self.version += 1
            self.rules = list(rules)
            self.changed.notify_all()
            assert self.changed.wait_for(
                lambda: any(each["version"] == self.version for each in self.edge_reports), 15
            )

    def seen(self, dataset: str, action: str | None = None) -> list[dict[str, Any]]:
        with self.changed:
            return [
                each
                for each in self.events
                if each["event"]["dataset"] == dataset and action in {None, each["event"]["action"]}
            ]

    def wait_until_seen(self, is_it: Any, count: int = 1) -> list[dict[str, Any]]:
        """Return the events for which *is_it* holds, once there are *count* of them."""
        with self.changed:
            assert self.changed.wait_for(lambda: sum(map(is_it, self.events)) >= count, 15)
            return [each for each in self.events if is_it(each)]


class Handler(BaseHTTPRequestHandler):
    suite: Suite
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if urlsplit(self.path).path == "/api/v1/approvals":
            assert self.path.endswith("?state=pending")
            self.reply(200, {"items": self.suite.pending})
            return
        if "/assignment?unit=" in self.path:
            unit = self.path.partition("unit=")[2]
            self.suite.asked.append(unit)
            arm = self.suite.arms.get(unit, "default")
            self.reply(200, {"arm": arm, "state": "running"})
            return
        after = int(self.path.partition("after=")[2].partition("&")[0])
        with self.suite.changed:
            self.suite.changed.wait_for(
                lambda: self.suite.version != after or not self.suite.is_open, 5
            )
            new = self.suite.version != after
            rules = self.suite.rules if new else []
            answer = {"version": self.suite.version, "full": new, "rules": rules, "removed": []}
        if self.suite.is_open:
            self.reply(200, answer)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with self.suite.changed:
            if self.path == "/_bulk":
                status, answer = self.bulk(body)
            elif self.path == "/v1/edge/report":
                self.suite.edge_reports.append(json.loads(body))
                status, answer = 200, {}
            else:
                self.suite.decisions.append((self.path, json.loads(body)))
                self.suite.pending.clear()
                status, answer = 200, {}
            self.suite.changed.notify_all()
        self.reply(status, answer)

    def bulk(self, body: str) -> tuple[int, dict[str, Any]]:
        self.suite.bulk_tokens.add(self.headers["Authorization"])
        if self.suite.outage:
            return self.suite.outage, {"error": "away"}
        lines = body.split("\n")
        assert lines.pop() == ""
        pairs = [
            (json.loads(lines[at]), json.loads(lines[at + 1])) for at in range(0, len(lines), 2)
        ]
        self.suite.batches.append(len(pairs))
        items = []
        for action, document in pairs:
            assert action["create"]["_id"] == document["event"]["id"]
            status = 400 if document["event"]["id"] in self.suite.wrong else 201
            if self.suite.busy:
                self.suite.busy -= 1
                status = 429
            if status == 201:
                self.suite.events.append(document)
                self.suite.indices.append(action["create"]["_index"])
            items.append({"create": {"status": status}})
        return 200, {"errors": False, "items": items}

    def reply(self, status: int, document: dict[str, Any]) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
