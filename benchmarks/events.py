"""Events as a funding platform's shippers send them: nested ECS of about 800 bytes, seeded.

Half are requests, the rest log-ins, wallet transactions, acts of admins and heartbeats. Of a
hundred, one or two are late by minutes, a few of a thousand by hours or by a clock that is ahead.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

BEGIN = datetime(2026, 10, 1, tzinfo=UTC)
DAYS = 30
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36"


class Maker:
    """Makes events one after another; the same seed makes the same."""

    def __init__(self, seed: int = 7) -> None:
        self._random = draw = random.Random(seed)
        self.wallets = [f"0x{draw.getrandbits(160):040x}" for _ in range(40_000)]
        self._ips = [".".join(str(draw.randint(1, 254)) for _ in range(4)) for _ in range(30_000)]
        self._agents = [AGENT.format(version) for version in range(100, 150)]

    def make(self, when: datetime) -> dict[str, Any]:
        """Return an event that reaches the store at *when*."""
        draw = self._random
        make = draw.choices(
            (self._request, self._login, self._transaction, self._admin, self._heartbeat),
            (50, 22, 18, 2, 8),
        )[0]
        return make((when - self._lag()).isoformat(timespec="milliseconds")[:-6] + "Z")

    def _lag(self) -> timedelta:
        drawn = self._random.random()
        if drawn < 0.983:
            return timedelta(seconds=self._random.random() * 2)
        if drawn < 0.985:
            return timedelta(seconds=-300)
        if drawn < 0.998:
            return timedelta(seconds=self._random.uniform(60, 1_800))
        return timedelta(seconds=self._random.uniform(3_600, 172_800))

    def _hex(self, digits: int) -> str:
        return f"{self._random.getrandbits(digits * 4):0{digits}x}"

    def _skewed(self, names: list[str]) -> str:
        return names[int(len(names) * self._random.random() ** 2.2)]

    def _base(
        self, when: str, dataset: str, category: str, action: str, fine: bool
    ) -> dict[str, Any]:
        return {
            "@timestamp": when,
            "event": {
                "id": self._hex(32), "dataset": dataset, "kind": "event", "category": [category],
                "type": ["info"], "action": action, "outcome": "success" if fine else "failure",
                "created": when,
            },
            "host": {"name": f"api-{self._random.randint(1, 6)}"},
            "service": {"name": dataset.partition(".")[0], "environment": "prod"},
        }  # fmt: skip

    def _source(self) -> dict[str, Any]:
        draw = self._random
        return {
            "ip": self._skewed(self._ips), "port": draw.randint(1024, 65535),
            "geo": {"country_iso_code": draw.choice(("US", "DE", "FR", "IN", "NG", "BR"))},
            "as": {"number": draw.randint(1000, 9999)},
        }  # fmt: skip

    def _request(self, when: str) -> dict[str, Any]:
        draw = self._random
        status = draw.choices((200, 201, 304, 400, 401, 404, 429, 500), (70, 8, 6, 3, 3, 5, 1, 2))[
            0
        ]
        path = f"/api/v1/projects/{draw.randint(1, 400)}/donations"
        source = self._source()
        return self._base(when, "http.access", "web", "http-request", status < 400) | {
            "source": source,
            "user_agent": {"original": draw.choice(self._agents)},
            "http": {
                "request": {
                    "method": draw.choice(("GET", "GET", "POST")),
                    "bytes": draw.randint(80, 4000),
                },
                "response": {"status_code": status, "bytes": draw.randint(200, 90_000)},
            },
            "url": {"path": path, "query": f"page={draw.randint(1, 40)}&sort=ts"},
            "trace": {"id": self._hex(32)},
            "message": f'{source["ip"]} - - "GET {path} HTTP/1.1" {status}',
        }

    def _login(self, when: str) -> dict[str, Any]:
        draw = self._random
        fine, name, source = (
            draw.random() < 0.86,
            f"user{draw.randint(0, 20_000):05}",
            self._source(),
        )
        said = "logged in" if fine else "failed password, invalid credentials"
        return self._base(when, "auth.login", "authentication", "user-login", fine) | {
            "source": source,
            "user": {
                "id": self._hex(8),
                "name": name,
                "roles": ["donor"],
                "email": f"{name}@mail.example",
            },
            "user_agent": {"original": draw.choice(self._agents)},
            "labels": {
                "mfa": draw.choice(("totp", "webauthn", "none")),
                "tenant": f"t{draw.randint(1, 12)}",
            },
            "session": {"id": self._hex(24)},
            "message": f"user {name} {said} from {source['ip']}",
        }

    def _transaction(self, when: str) -> dict[str, Any]:
        draw = self._random
        wallet, project = self._skewed(self.wallets), draw.randint(1, 400)
        action = draw.choices(("donate", "claim", "allocate", "refund"), (80, 10, 7, 3))[0]
        amount = int(draw.paretovariate(1.2) * 5_000_000)
        return self._base(when, "wallet.tx", "network", action, draw.random() < 0.97) | {
            "chain": {
                "id": draw.choice((1, 10, 137, 42161)),
                "block": {"number": draw.randint(19_000_000, 19_200_000), "hash": "0x" + self._hex(64)},
                "tx": {"hash": "0x" + self._hex(64), "log_index": draw.randint(0, 300)},
                "finality": draw.choice(("safe", "finalized", "latest")),
            },
            "wallet": {"address": wallet},
            "counterparty": {"address": self._skewed(self.wallets)},
            "funding": {
                "round": {"id": f"r{project % 60}"}, "project": {"id": f"p{project}"},
                "token": {"symbol": "USDC"}, "amount": {"raw": str(amount)},
            },
            "message": f"{action} of {amount} from {wallet} to project p{project}",
        }  # fmt: skip

    def _admin(self, when: str) -> dict[str, Any]:
        draw = self._random
        name = f"admin{draw.randint(0, 24):02}"
        action = draw.choice(("role-grant", "payout-approve", "config-change", "round-close"))
        ticket = f"OPS-{draw.randint(1, 9999)}"
        return self._base(when, "admin.audit", "iam", action, draw.random() < 0.95) | {
            "source": self._source(),
            "user": {"id": name, "name": name, "roles": ["admin"]},
            "user_agent": {"original": draw.choice(self._agents)},
            "labels": {"ticket": ticket, "before": self._hex(16), "after": self._hex(16)},
            "message": f"admin {name} performed {action} (ticket {ticket})",
        }

    def _heartbeat(self, when: str) -> dict[str, Any]:
        draw = self._random
        lag = int(draw.expovariate(1 / 3))
        return self._base(when, "indexer.lag", "process", "heartbeat", True) | {
            "chain": {
                "id": draw.choice((1, 10, 137)),
                "head": {"number": draw.randint(19_000_000, 19_200_000)},
            },
            "indexer": {"name": "idx-1", "lag": {"blocks": lag}},
            "metrics": {
                "rpc_latency_ms": round(draw.expovariate(1 / 80), 1),
                "queue": draw.randint(0, 500),
            },
            "process": {"pid": draw.randint(100, 30_000), "name": "indexer"},
            "message": f"indexer heartbeat lag={lag} blocks",
        }


def lines(
    count: int, seed: int = 7, begin: datetime = BEGIN, days: float = DAYS
) -> Iterator[bytes]:
    """Yield *count* events as JSON, spread evenly over *days* from *begin*."""
    maker = Maker(seed)
    step = timedelta(days=days) / count
    for number in range(count):
        yield orjson.dumps(maker.make(begin + number * step))
