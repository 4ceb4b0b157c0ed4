#!/usr/bin/env python3
"""Make the pictures of docs/tour.md: play the demo, serve its home, look at the console.

``make tour``, or ``python docs/tour.py HOME`` with the home of a demo that was played before.
"""

import base64
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from playwright.sync_api import Page, sync_playwright

DOCS = Path(__file__).parent
SOC = Path(sys.executable).with_name("soc")
PERSON, ROLES = "iris", ("admin", "analyst", "approver", "responder")
WIDTH, HEIGHT = 1280, 800
QUALITY = 66
LARGEST, LARGEST_TOGETHER = 100_000, 600_000
"""Bytes of a picture, and of all."""


class Stop(NamedTuple):
    """A picture: its name, where it is taken, a link to follow there, and keys to press then."""

    name: str
    path: str
    link: str = ""
    keys: tuple[str, ...] = ()
    theme: str = "light"
    place: str = ""
    """What is scrolled to."""


STOPS = (
    Stop("queue", "/queue?kind=security"),
    Stop("keys", "/queue?kind=security", keys=("?",)),
    Stop("incident", "/queue?q=funded", link=".queue a.title"),
    Stop("money", "/queue?q=funded", link=".queue a.title", place="#money"),
    Stop("alert", "/alerts?rule=qf-api-abuse", link="table a.title"),
    Stop("round", "/rounds", link="table a.title"),
    Stop("hunt", "/hunt?q=event.outcome%3Afailure&since=all"),
    Stop("attack", "/attack", theme="dark"),
    Stop("kpis", "/kpis?window=24h"),
    Stop("intelligence", "/intelligence", place="#clusters"),
)
FLAT = ("unique_rounds", "hour_entropy", "amount_repeat")
"""Features that are the same for all donors of a round that lasts two minutes."""
LEARN = (
    ("build",),
    ("train", "--window", "12s", *(word for name in FLAT for word in ("--without", name))),
    ("report", "--window", "1m"),
)


def main() -> None:
    """Play, look, and fail if a picture became too large for a repository."""
    with TemporaryDirectory() as folder:
        home = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(folder) / "demo-home"
        if not home.exists():
            _soc("demo", "--home", str(home))
        for words in LEARN:
            _soc("intelligence", *words, "--home", str(home))
        with _served(home) as address:
            sizes = _look(address, _password(home))
    print("\n".join(f"{name}: {size:,} bytes" for name, size in sizes.items()))  # noqa: T201 - a result
    if max(sizes.values()) > LARGEST or sum(sizes.values()) > LARGEST_TOGETHER:
        sys.exit(f"too large: at most {LARGEST:,} bytes each and {LARGEST_TOGETHER:,} together")


def _soc(*words: str) -> str:
    command = [str(SOC), *words]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - ours
    return done.stdout


def _password(home: Path) -> str:
    """Make a person who may look at everything; return the password."""
    roles = [word for role in ROLES for word in ("--role", role)]
    given = json.loads(_soc("users", "add", PERSON, *roles, "--home", str(home), "--json"))
    return str(given["password"])


@contextmanager
def _served(home: Path) -> Iterator[str]:
    """Serve *home* on a free port; give its address."""
    command = [str(SOC), "serve", "--home", str(home), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - ours
        lines = iter(process.stdout or ())
        address = next((line.split()[1] for line in lines if line.startswith("ready http")), "")
        if not address:
            sys.exit("soc serve ended: see what it said")
        try:
            yield address
        finally:
            process.terminate()


def _look(address: str, password: str) -> dict[str, int]:
    """Take all pictures; return how large each is."""
    with sync_playwright() as playwright:
        found = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        context = browser.new_context(
            base_url=address, viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light"
        )
        page = context.new_page()
        page.goto("/login")
        page.get_by_label("User name").fill(PERSON)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/queue")
        sizes = {stop.name: _take(page, stop) for stop in STOPS}
        browser.close()
    return sizes


def _take(page: Page, stop: Stop) -> int:
    """Take one picture, as WebP; return its size."""
    page.emulate_media(color_scheme="dark" if stop.theme == "dark" else "light")
    page.goto(stop.path)
    while page.get_by_role("link", name="Look again").count():  # rules are read once, at first
        page.wait_for_timeout(2_000)
        page.goto(stop.path)
    if stop.link:
        page.locator(stop.link).first.click()
    page.wait_for_load_state("networkidle")
    for key in stop.keys:
        page.keyboard.press(key)
    if stop.place:
        page.locator(stop.place).evaluate("part => part.scrollIntoView()")
    asked = {"format": "webp", "quality": QUALITY}
    taken = page.context.new_cdp_session(page).send("Page.captureScreenshot", asked)
    body = base64.b64decode(taken["data"])
    (DOCS / "images" / f"tour-{stop.name}.webp").write_bytes(body)
    return len(body)


if __name__ == "__main__":
    main()
