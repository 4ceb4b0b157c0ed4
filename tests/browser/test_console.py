from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect

from soc.incidents import lifecycle
from tests.web.story import PASSWORD, Site

pytestmark = pytest.mark.browser

PAGES = (
    "/queue",
    "/incidents/INC-1",
    "/alerts",
    "/alerts/1",
    "/runs",
    "/runs/1",
    "/approvals",
    "/approvals/1",
    "/effects?state=all",
    "/rejects",
    "/rules",
    "/rules/qf-sybil-burst",
    "/attack",
    "/sources",
    "/playbooks",
    "/playbooks/qf-sybil-containment?incident=INC-1",
    "/threats",
    "/health",
    "/settings",
    "/nothing-here",
)


@contextmanager
def window(
    chromium: Browser,
    address: str,
    width: int = 1440,
    scheme: str = "light",
    *,
    scripts: bool = True,
) -> Iterator[Page]:
    """Give a window; whatever the browser complains about fails the test."""
    context = chromium.new_context(
        base_url=address,
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        java_script_enabled=scripts,
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    yield page
    context.close()
    # A page that is not there is one of those we look at.
    assert [said for said in complaints if "404" not in said] == []


def log_in(page: Page, person: str = "max") -> None:
    page.goto("/queue")
    page.get_by_label("User name").fill(person)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Queue")
    page.wait_for_load_state()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_an_analyst_logs_in_approves_and_closes(
    chromium: Browser, address: str, site: Site, *, scripts: bool
) -> None:
    with window(chromium, address, scripts=scripts) as page:
        log_in(page)
        page.get_by_role("link", name="Wallet gave 212 times").click()
        page.get_by_role("button", name="Approve").click()
        expect(page.locator("#timeline")).to_contain_text("max approved")
        page.get_by_label("True positive").check()
        page.get_by_label("What happened, in one line").fill("A burst of gifts")
        page.get_by_role("button", name="Close incident").click()
        expect(page.locator("#close")).to_contain_text("A burst of gifts")

    with site.front.reading() as looking:
        assert lifecycle.get(looking, 1).verdict == "true_positive"


def test_keys_do_the_main_task(chromium: Browser, address: str) -> None:
    with window(chromium, address) as page:
        log_in(page)
        for key in ("j", "Enter"):
            page.keyboard.press(key)
        page.wait_for_url("**/incidents/INC-1")
        for key in ("y", "Enter"):
            page.keyboard.press(key)
        expect(page.locator("#timeline")).to_contain_text("max approved")
        page.wait_for_load_state()
        for key in ("c", "1"):
            page.keyboard.press(key)
        page.get_by_label("What happened, in one line").fill("A burst of gifts")
        page.keyboard.press("Control+Enter")
        expect(page.locator("#close dl")).to_contain_text("A burst of gifts")
        page.wait_for_load_state()
        page.keyboard.press("g")
        page.keyboard.press("r")
        expect(page).to_have_url(f"{address}/runs")


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_never_scroll_sideways(
    chromium: Browser, address: str, width: int, scheme: str
) -> None:
    with window(chromium, address, width, scheme) as page:
        page.goto("/login")
        assert fits(page), "/login"
        log_in(page)
        for path in PAGES:
            page.goto(path)
            page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
            assert fits(page), path


def test_theme_can_be_chosen(chromium: Browser, address: str) -> None:
    with window(chromium, address) as page:
        log_in(page)
        expect(page.locator("body")).to_have_css("background-color", "rgb(255, 255, 255)")

        page.get_by_role("button", name="Dark").click()

        expect(page.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")
        expect(page.locator("body")).to_have_css("background-color", "rgb(20, 22, 24)")


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))
