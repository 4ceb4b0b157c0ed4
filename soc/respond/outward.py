"""Ask the outside over HTTP: public addresses alone, few redirects, little data, limited time.

A name is looked up once for each request, every address of it must be public, and the connection
goes to exactly that address: there is no gap between the check and the use.
"""

import socket
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from threading import Lock
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

from requests import PreparedRequest, Request, RequestException, Response, Timeout
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, ReadTimeoutError

from soc.clock import monotonic
from soc.model.listener import address_of
from soc.respond.action import Answer
from soc.respond.deadline import within

REDIRECTS = 3
PORTS = {"http": 80, "https": 443}
TRANSLATED = (
    ip_network("::/96"),  # IPv4 within IPv6, as it was written once
    ip_network("64:ff9b::/96"),  # and as gateways translate it
    ip_network("64:ff9b:1::/48"),
)
MOVED, AS_BEFORE = frozenset({301, 302, 303}), frozenset({307, 308})
HARMLESS = frozenset({"accept", "content-type"})
"""Headers that another host gets after a redirect; all others may hold what it must not know."""
Found = tuple[Any, ...]
Resolve = Callable[[str, int], Iterable[Found]]


def resolve(host: str, port: int) -> Iterable[Found]:
    """Return the addresses of *host*, as the machine knows them."""
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


def is_public(address: str) -> bool:
    """Return whether *address* belongs to the public Internet, also what is translated in it."""
    found: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address):
        if found.sixtofour or found.teredo or any(found in net for net in TRANSLATED):
            return False
        found = found.ipv4_mapped or found
    return found.is_global and not found.is_multicast


class Outward:
    """The one way of playbooks to the outside.

    opened: addresses with ports that may be reached though they are not public. ca: file of the
    authorities to trust instead of the public ones.
    """

    def __init__(
        self, opened: Iterable[str] = (), ca: Path | None = None, resolve: Resolve = resolve
    ) -> None:
        self._opened = {(ip_address(a.host), a.port) for a in map(address_of, opened)}
        self._ca, self._resolve = ca, resolve

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        *,
        seconds: float = 10.0,
        most: int = 1_000_000,
    ) -> Answer:
        """Return the answer, of at most so many bytes, after at most so many seconds.

        Raises PermissionError for what must not be reached, and OSError for what does not work.
        """
        lines, end = _Lines(), monotonic() + seconds
        try:
            return within(
                seconds, lambda: self._follow(method, url, headers, body, lines, end, most)
            )
        finally:
            lines.cut()

    def _follow(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        lines: "_Lines",
        end: float,
        most: int,
    ) -> Answer:
        for _ in range(REDIRECTS + 1):
            answer = self._ask(_prepared(method, url, headers, body), lines, end, most)
            place = answer.headers.get("location")
            if answer.status not in MOVED | AS_BEFORE or place is None:
                return answer
            there = _joined(url, place)
            if answer.status in MOVED and method != "HEAD":
                method, body = "GET", None
            if _origin(there) != _origin(url):
                _require_safe(url, there, body)
                headers = {k: v for k, v in headers.items() if k.lower() in HARMLESS}
            url = there
        raise PermissionError(f"it redirects more than {REDIRECTS} times")

    def _ask(self, request: PreparedRequest, lines: "_Lines", end: float, most: int) -> Answer:
        split = urlsplit(request.url or "")
        host, port = split.hostname or "", split.port or PORTS[split.scheme]
        places = self._checked(host, port)
        left = max(end - monotonic(), 0.001)
        verify = str(self._ca) if self._ca else True
        try:
            with (
                _Pinned(places, lines) as adapter,
                adapter.send(
                    request, stream=True, timeout=(left, left), verify=verify, proxies={}
                ) as response,
            ):
                return _read(response, most)
        except (Timeout, ReadTimeoutError) as late:
            raise TimeoutError(f"{host}: it did not answer in time") from late
        except (RequestException, HTTPError) as failed:
            raise OSError(f"{host}: {_why(failed)}") from failed

    def _checked(self, host: str, port: int) -> list[Found]:
        """Return the addresses of *host*, once all of them may be reached."""
        try:
            places = list(self._resolve(host, port))
        except (OSError, UnicodeError) as unknown:
            raise OSError(f"{host}: no such host") from unknown
        for place in places:
            address = str(place[4][0])
            if not (is_public(address) or (ip_address(address), port) in self._opened):
                raise PermissionError(
                    f"{host} is {address}, which is not public: an administrator may open"
                    " such an address, with its port, by respond.outward"
                )
        if not places:
            raise OSError(f"{host}: no such host")
        return places


class _Lines:
    """The connections of one request, to be cut when its time is over, whatever waits for them."""

    def __init__(self) -> None:
        self._lock, self._open, self._is_cut = Lock(), list[socket.socket](), False

    def connect(self, places: Iterable[Found], timeout: object) -> socket.socket:
        """Return a connection to the first of *places* that takes one."""
        failed: OSError = ConnectionError("no address")
        for family, kind, protocol, _, address in places:
            line = socket.socket(family, kind, protocol)
            line.settimeout(timeout if isinstance(timeout, int | float) else None)
            try:
                self._keep(line)
                line.connect(address)
            except OSError as refused:
                failed = refused
                line.close()
            else:
                return line
        raise failed

    def cut(self) -> None:
        """End all connections, also those that TLS has taken over."""
        with self._lock:
            self._is_cut = True
            for line in self._open:
                with suppress(OSError):  # it may have ended already
                    line.shutdown(socket.SHUT_RDWR)
                line.close()
            self._open.clear()

    def _keep(self, line: socket.socket) -> None:
        with self._lock:
            if self._is_cut:
                raise TimeoutError("its time is over")
            self._open.append(line.dup())


class _Pinned(HTTPAdapter):
    """Connects to given addresses, whatever a URL says; TLS still asks for the URL's name."""

    def __init__(self, places: Iterable[Found], lines: _Lines) -> None:
        self._places, self._lines = list(places), lines
        super().__init__(max_retries=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def init_poolmanager(self, *sizes: Any, **options: Any) -> None:  # noqa: ANN401 - the library's own
        """Make connections of our own kind."""

        def connect(connection: HTTPConnection) -> socket.socket:
            return self._lines.connect(self._places, connection.timeout)

        def pool(base: type[HTTPConnectionPool], kind: type[HTTPConnection]) -> type:
            pinned = type("Pinned", (kind,), {"_new_conn": connect})
            return type("Pool", (base,), {"ConnectionCls": pinned})

        super().init_poolmanager(*sizes, **options)
        manager: PoolManager = self.poolmanager
        manager.pool_classes_by_scheme = {
            "http": pool(HTTPConnectionPool, HTTPConnection),
            "https": pool(HTTPSConnectionPool, HTTPSConnection),
        }


def _prepared(
    method: str, url: str, headers: Mapping[str, str], body: bytes | None
) -> PreparedRequest:
    try:
        split = urlsplit(url)
        has_login, _ = split.username is not None, split.port
    except ValueError as wrong:
        raise PermissionError("this is no URL") from wrong
    if split.scheme not in PORTS or not split.hostname:
        raise PermissionError("only http and https URLs with a host are asked")
    if has_login:
        raise PermissionError("write no user or password into a URL: use a header with a secret")
    try:
        given = {"user-agent": "commonwatch", "accept-encoding": "identity", **headers}
        return Request(method, url, headers=given, data=body).prepare()
    except (RequestException, ValueError) as wrong:
        raise PermissionError("this URL or one of the headers cannot be sent") from wrong


def _joined(url: str, place: str) -> str:
    """Return where a redirect leads; raises PermissionError for what is no URL."""
    try:
        there = urljoin(url, place)
        _origin(there)
    except ValueError as wrong:
        raise PermissionError("it redirects to what is no URL") from wrong
    return there


def _origin(url: str) -> tuple[str, str | None, int | None]:
    split = urlsplit(url)
    return split.scheme, split.hostname, split.port or PORTS.get(split.scheme)


def _require_safe(url: str, there: str, body: bytes | None) -> None:
    if urlsplit(url).scheme == "https" and urlsplit(there).scheme == "http":
        raise PermissionError("it redirects from https to http")
    if body is not None:
        raise PermissionError("it redirects what was sent to another host")


def _read(response: Response, most: int) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    if headers.get("content-encoding", "identity") != "identity":
        raise OSError("the answer is compressed, which was not asked for")
    body = b""
    for part in response.raw.stream(16 * 1024, decode_content=False):
        body += part
        if len(body) > most:
            raise OSError(f"the answer is longer than {most} bytes")
    return Answer(response.status_code, headers, body)


def _why(failed: Exception) -> str:
    """Return what kind of failure it was; its text may hold what was sent."""
    words = {
        "SSLError": "its certificate is not trusted or not of this name",
        "ConnectionError": "it cannot be reached, or broke off",
    }
    return words.get(type(failed).__name__, type(failed).__name__)
