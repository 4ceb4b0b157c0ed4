"""What happens meanwhile shows, and moves nothing."""

import pytest
from playwright.sync_api import Browser, Page, expect

from soc.incidents import lifecycle
from tests.browser.furnished import crowd
from tests.browser.windows import log_in, window
from tests.web.story import NOW, Site

pytestmark = pytest.mark.browser

SOON = 15_000


def ready(page: Page) -> None:
    """Wait until the page has asked for the first time."""
    with page.expect_response("**/live"):
        page.goto("/queue")


def rows(page: Page) -> list[str]:
    return list(
        page.locator(".queue > tbody > tr").evaluate_all("all => all.map(r => r.dataset.id)")
    )


def test_new_rows_wait_and_cells_change_in_place(
    chromium: Browser, address: str, site: Site
) -> None:
    with window(chromium, address) as page:
        log_in(page)
        ready(page)
        before = rows(page)
        place = page.locator('[data-id="INC-2"]').bounding_box()

        crowd(site, 3)
        with site.front.writing() as writing:
            lifecycle.assign(writing, 2, "rob", "user:rob", NOW)
        link = page.get_by_role("link", name="3 new, show")
        expect(link).to_be_visible(timeout=SOON)
        expect(page.locator('[data-id="INC-2"] .c-owner')).to_have_text("rob", timeout=SOON)

        assert rows(page) == before
        assert page.locator('[data-id="INC-2"]').bounding_box() == place
        expect(page.locator("tr[aria-current] a.title")).to_be_focused()
        expect(page.locator('.nav a[href="/queue"] .count')).to_contain_text("5")
        link.click()
        expect(page.locator(".queue > tbody > tr")).to_have_count(5)


def test_what_was_closed_elsewhere_is_told_and_stays(
    chromium: Browser, address: str, site: Site
) -> None:
    with window(chromium, address) as page:
        log_in(page)
        ready(page)

        with site.front.writing() as writing:
            lifecycle.close(writing, 2, "test", "A drill", "user:rob", NOW)

        expect(page.get_by_role("link", name="1 gone, show")).to_be_visible(timeout=SOON)
        assert rows(page) == ["INC-1", "INC-2"]


def test_a_quiet_page_gets_304_and_a_hidden_one_asks_nothing(
    chromium: Browser, address: str
) -> None:
    with window(chromium, address) as page:
        log_in(page)
        ready(page)
        with page.expect_response(lambda told: told.status == 304, timeout=SOON) as again:
            pass
        assert again.value.url == f"{address}/live"

        asked: list[str] = []
        page.evaluate(
            """() => {
              Object.defineProperty(document, "hidden", {get: () => true, configurable: true});
              document.dispatchEvent(new Event("visibilitychange"));
            }"""
        )
        page.on("request", lambda request: asked.append(request.url))
        page.wait_for_timeout(5_000)
        assert asked == []

        with page.expect_response("**/live"):
            page.evaluate(
                """() => {
                  Object.defineProperty(document, "hidden", {get: () => false});
                  document.dispatchEvent(new Event("visibilitychange"));
                }"""
            )


def test_a_page_whose_person_signed_out_elsewhere_asks_no_more(
    chromium: Browser, address: str
) -> None:
    with window(chromium, address) as page:
        log_in(page)
        ready(page)
        page.context.clear_cookies()
        with page.expect_response("**/login**", timeout=SOON):
            pass
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.wait_for_timeout(4_000)

        assert asked == []
        expect(page.get_by_role("heading", level=1)).to_have_text("Queue")
