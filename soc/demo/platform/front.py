"""Find out who asks, before anything else, and write down how each request was answered."""

import json
from collections.abc import MutableMapping
from dataclasses import dataclass
from hmac import compare_digest
from ipaddress import ip_address
from pathlib import Path
from threading import Lock
from typing import Any

from soc.demo.platform.machine import now, rfc3339
from soc.demo.platform.recorder import Access, Recorder
from soc.demo.platform.store import Session, Store
from soc.edge import App, Receive, Scope, Send


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks: from where, as which wallet or staff account, or as the platform's operator."""

    ip: str
    wallet: str | None = None
    account: str | None = None
    operator: bool = False

    @property
    def subjects(self) -> tuple[str, ...]:
        """Return what the edge is to be asked about; the operator is never held back."""
        if self.operator:
            return ()
        named = (("ip", self.ip), ("wallet", self.wallet), ("account", self.account))
        return tuple(f"{kind}:{value}" for kind, value in named if value)


class Sessions:
    """Which token belongs to whom; kept in the store, looked up in memory."""

    def __init__(self, store: Store, operator_key: str) -> None:
        self._store = store
        self._operator_key = operator_key.encode()
        self._known = store.sessions()

    def add(self, token: str, session: Session) -> None:
        """Let whoever shows *token* act as *session* says."""
        self._store.add_session(token, session)
        self._known[token] = session

    def caller(self, scope: Scope) -> Caller:
        """Return who sends a request; wallet and account come from the session and nothing else."""
        headers = list(scope["headers"])
        ip = _address(scope, headers)
        shown = [value for name, value in headers if name == b"authorization"]
        if len(shown) != 1 or not shown[0].startswith(b"Bearer "):
            return Caller(ip=ip)
        token = shown[0].removeprefix(b"Bearer ")
        if compare_digest(token, self._operator_key):
            return Caller(ip=ip, operator=True)
        session = self._known.get(token.decode("latin-1"))
        if session is None or session.until < now().timestamp():
            return Caller(ip=ip)
        return Caller(ip=ip, wallet=session.wallet, account=session.account)


def caller_of(scope: Scope) -> Caller:
    """Return who sends this request, as the front found out."""
    caller: Caller = scope["caller"]
    return caller


def _address(scope: Scope, headers: list[tuple[bytes, bytes]]) -> str:
    """Return the client's address: a proxy is believed only if it is on this machine."""
    peer: str = scope["client"][0] if scope.get("client") else "::1"
    forwarded = [value for name, value in headers if name == b"x-forwarded-for"]
    if not ip_address(peer).is_loopback or len(forwarded) != 1:
        return peer
    try:
        return str(ip_address(forwarded[0].decode("latin-1").strip()))
    except ValueError:
        return peer


class AccessLog:
    """``platform_access.ndjson``: one line for each request, on disk before the next one."""

    def __init__(self, path: Path) -> None:
        self._lock = Lock()
        self._file = path.open("a", encoding="utf-8", buffering=1)

    def write(self, caller: Caller, request: Access, effect: str | None) -> None:
        """Add one line."""
        line = {
            "time": rfc3339(now()),
            "wallet": caller.wallet,
            "ip": caller.ip,
            "method": request.method,
            "path": request.path,
            "status": request.status,
            "effect": effect,
        }
        with self._lock:
            self._file.write(json.dumps(line) + "\n")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()


@dataclass(frozen=True, slots=True)
class Front:
    """The outermost layer: what the edge refuses further in is written down here as well."""

    app: App
    sessions: Sessions
    log: AccessLog
    recorder: Recorder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, as ASGI has it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        caller = scope["caller"] = self.sessions.caller(scope)
        status, effect = 500, None

        async def watch(message: MutableMapping[str, Any]) -> None:
            nonlocal status, effect
            if message["type"] == "http.response.start":
                status = message["status"]
                named = dict(message["headers"]).get(b"x-soc-effect")
                effect = named.decode("ascii") if named else None
            await send(message)

        try:
            await self.app(scope, receive, watch)
        finally:
            request = Access(scope["method"], scope["path"], status)
            self.log.write(caller, request, effect)
            self.recorder.access(request, ip=caller.ip, wallet=caller.wallet, user=caller.account)
