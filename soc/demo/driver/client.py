"""Speak HTTP to the platform as many different people, each from their own address."""

from collections import Counter
from collections.abc import Iterable, Mapping
from threading import Lock, local
from typing import Any, NamedTuple

import requests

from soc.simulate.values import Wallet

TIMEOUT = 20
UNREACHABLE = 0
"""Stands for the status of a request that got no answer."""
OPERATOR_IP = "127.0.0.1"


class Reply(NamedTuple):
    """What the platform answered: its status, and its JSON if that is an object."""

    status: int
    body: Mapping[str, Any]


class Platform:
    """The platform as its users see it; a request that fails is an answer too, and is counted."""

    def __init__(self, url: str, operator_key: str) -> None:
        self.answers: Counter[int] = Counter()
        self._url = url.rstrip("/")
        self._operator_key = operator_key
        self._lock = Lock()
        self._threads = local()
        self._sessions: list[requests.Session] = []

    def get(self, path: str, ip: str, token: str | None = None) -> Reply:
        """Read a page."""
        return self._ask("GET", path, ip, token, None)

    def post(self, path: str, body: Mapping[str, Any], ip: str, token: str | None = None) -> Reply:
        """Send *body*."""
        return self._ask("POST", path, ip, token, body)

    def operate(self, path: str, body: Mapping[str, Any]) -> Reply:
        """Send *body* as the platform's operator."""
        return self._ask("POST", path, OPERATOR_IP, self._operator_key, body)

    def close(self) -> None:
        """Close every connection."""
        for session in self._sessions:
            session.close()

    def _ask(
        self, method: str, path: str, ip: str, token: str | None, body: Mapping[str, Any] | None
    ) -> Reply:
        headers = {"X-Forwarded-For": ip}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            answer = self._session().request(
                method, self._url + path, headers=headers, json=body, timeout=TIMEOUT
            )
            content = answer.json()
            reply = Reply(answer.status_code, content if isinstance(content, dict) else {})
        except (requests.RequestException, ValueError):
            reply = Reply(UNREACHABLE, {})
        with self._lock:
            self.answers[reply.status] += 1
        return reply

    def _session(self) -> requests.Session:
        """Return this thread's own connection: a session must not be shared."""
        session: requests.Session | None = getattr(self._threads, "session", None)
        if session is None:
            session = self._threads.session = requests.Session()
            session.trust_env = False
            with self._lock:
                self._sessions.append(session)
        return session


class Crowd:
    """Everyone who has a wallet: each opens one session, before the first thing they do."""

    def __init__(self, platform: Platform, wallets: Iterable[Wallet]) -> None:
        self.platform = platform
        self._wallets = {wallet.address: wallet for wallet in wallets}
        self._locks = {address: Lock() for address in self._wallets}
        self._tokens: dict[str, str] = {}

    def read(self, wallet: str, path: str) -> Reply:
        """Read a page as *wallet*."""
        return self.platform.get(path, self._wallets[wallet].ip, self._token(wallet))

    def send(self, wallet: str, path: str, body: Mapping[str, Any]) -> Reply:
        """Send *body* as *wallet*."""
        return self.platform.post(path, body, self._wallets[wallet].ip, self._token(wallet))

    def _token(self, wallet: str) -> str | None:
        with self._locks[wallet]:
            if wallet not in self._tokens:
                body = {"wallet": wallet}
                opened = self.platform.post("/session", body, self._wallets[wallet].ip)
                if "token" in opened.body:
                    self._tokens[wallet] = opened.body["token"]
            return self._tokens.get(wallet)
