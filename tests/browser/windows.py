"""Windows of a real browser, which fail the test for whatever the browser complains about."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, Locator, Page, expect

from tests.web.story import PASSWORD

Watch = Callable[[Any], object]


@contextmanager
def window(
    chromium: Browser,
    address: str,
    width: int = 1440,
    scheme: str = "light",
    *,
    scripts: bool = True,
    cookies: list[Any] | None = None,
) -> Iterator[Page]:
    """Give a window; a violation of the policy, a console error or a dialog fails the test."""
    context = chromium.new_context(
        base_url=address,
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        java_script_enabled=scripts,
    )
    if cookies:
        context.add_cookies(cookies)
    page = context.new_page()
    complaints: list[str] = []
    foreign: list[str] = []
    page.on("console", lambda said: complaints.append(f"{page.url}: {said.text}"))
    page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    page.on("request", lambda asked: asked.url.startswith(address) or foreign.append(asked.url))
    yield page
    context.close()
    # Pages that are not there, or refuse a question, are among those we look at.
    expected = ("status of 404", "status of 400")
    assert [said for said in complaints if not any(one in said for one in expected)] == []
    assert foreign == []


def log_in(page: Page, person: str = "max") -> None:
    """Sign *person* in, and wait for the queue."""
    page.goto("/queue")
    page.get_by_label("User name").fill(person)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Queue")
    page.wait_for_load_state()


def fits(page: Page) -> bool:
    """Return whether the page can be read without scrolling sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@dataclass
class Hand:
    """Works a page as a person does, and counts: keys, clicks, and lines of text."""

    page: Page
    keys: list[str] = field(default_factory=list)
    clicks: int = 0
    lines: int = 0

    def press(self, *keys: str) -> None:
        """Press each of *keys* once."""
        for key in keys:
            self.page.keyboard.press(key)
            self.keys.append(key)

    def click(self, target: Locator) -> None:
        """Click once."""
        target.click()
        self.clicks += 1

    def write(self, line: str) -> None:
        """Type a line of text where the cursor stands."""
        self.page.keyboard.type(line)
        self.lines += 1
