"""Find every kind of page by following links from the queue, so that new pages are found too."""

import time
from collections import deque
from html.parser import HTMLParser
from urllib.parse import urldefrag, urljoin, urlsplit

from httpx2 import Response
from starlette.testclient import TestClient

OUTSIDE = ("/api/", "/static/", "/healthz")
WORDS = {"new"}
"""Second parts of a path that name a page of its own, and no thing."""
ALSO = (
    "/incidents/INC-1",
    "/nothing-here",
    "/queue?state=closed",
    "/queue?q=nobody",
    "/effects?state=all",
    "/hunt?q=event.dataset%3Ashop.access&since=all",
    "/hunt?q=%28&since=all",
    "/hunt?language=sigma",
    "/login",
)
"""Errors, empty states, answers, and lists in another state; the gate, which is left last."""


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href")
        if tag == "a" and href:
            self.found.append(href)


def pages_of(browser: TestClient) -> list[str]:
    """Return the address of one page of each kind, in the order they were found."""
    found, waiting = {"queue": "/queue"}, deque(["/queue"])
    while waiting:
        address = waiting.popleft()
        answer = _read(browser, address)
        assert answer.status_code == 200, address
        links = _Links()
        links.feed(answer.text)
        for href in links.found:
            target = urldefrag(urljoin(address, href)).url
            path = urlsplit(target).path
            if (
                urlsplit(target).netloc
                or path.startswith(OUTSIDE)
                or (kind := _kind(path)) in found
            ):
                continue
            if "text/html" in _read(browser, target).headers.get("content-type", ""):
                found[kind] = target
                waiting.append(target)
    return [*found.values(), *ALSO]


def _read(browser: TestClient, address: str) -> Response:
    """Return the answer, when what it is made of has been read: that takes a while at first."""
    end = time.monotonic() + 90
    while (answer := browser.get(address)).status_code == 503 and time.monotonic() < end:
        time.sleep(0.5)
    return answer


def name_of(address: str) -> str:
    """Return what a picture of the page is called."""
    signs = urlsplit(address)
    query = f"-{signs.query}" if address in ALSO else ""
    return "".join(x if x.isalnum() else "-" for x in f"{_kind(signs.path)}{query}").strip("-")


def _kind(path: str) -> str:
    first, *rest = path.strip("/").split("/")
    return "/".join([first, *(part if part in WORDS else "one" for part in rest)])
