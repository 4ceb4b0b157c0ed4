"""Every page, found by its links: whole at each width and in each theme, usable, and quiet."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.crawl import name_of, pages_of
from tests.browser.furnished import ALL
from tests.browser.windows import fits, log_in, window
from tests.web.story import Site

pytestmark = pytest.mark.browser

FIRST_LOAD = 120_000
"""Bytes of the queue with all it needs, before compression."""
LEAST = 20
"""Kinds of pages that there are at least: fewer means that links are not followed."""

STATUS = {"/nothing-here": 404, "/hunt?q=%28&since=all": 400}


@pytest.fixture(scope="session")
def pages(still: Site) -> list[str]:
    found = pages_of(still.seen_by(ALL))
    assert len(found) >= LEAST, found
    return found


@pytest.fixture(scope="session")
def cookies(chromium: Browser, still_address: str) -> list[Any]:
    """Return what a browser has after logging in."""
    with window(chromium, still_address) as page:
        log_in(page, ALL)
        return list(page.context.cookies())


def visit(page: Page, path: str) -> int:
    """Open *path*, the gate as nobody; return the status."""
    if path == "/login":
        page.context.clear_cookies()
    answer = page.goto(path)
    assert answer is not None, path
    return answer.status


def unfold(page: Page) -> None:
    """Show what is folded."""
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_whole_and_quiet(
    chromium: Browser,
    still_address: str,
    pages: list[str],
    cookies: list[Any],
    shots,
    width: int,
    scheme: str,
) -> None:
    with window(chromium, still_address, width, scheme, cookies=cookies) as page:
        for path in pages:
            visit(page, path)
            page.screenshot(path=shots / f"{name_of(path)}-{scheme}-{width}.png", full_page=True)
            assert fits(page), path
            unfold(page)
            assert fits(page), f"{path}, unfolded"


@pytest.mark.parametrize("width", [390, 1440])
def test_every_page_works_without_scripts(
    chromium: Browser, still_address: str, pages: list[str], cookies: list[Any], width: int
) -> None:
    with window(chromium, still_address, width, scripts=False, cookies=cookies) as page:
        for path in pages:
            assert visit(page, path) == STATUS.get(path, 200), path
            assert page.locator("h1").count() == 1, path
            assert page.locator("html[data-js]").count() == 0
            assert page.locator(".keys:visible").count() == 0, f"{path} promises keys"
            assert fits(page), path


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(
    chromium: Browser,
    still_address: str,
    pages: list[str],
    cookies: list[Any],
    axe_core: str,
    width: int,
    scheme: str,
) -> None:
    found: list[str] = []
    with window(chromium, still_address, width, scheme, cookies=cookies) as page:
        for path in pages:
            visit(page, path)
            page.evaluate(axe_core)
            for folded in (True, False):
                if not folded:
                    unfold(page)
                told = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
                found += [
                    f"{path}: {one['id']}: {node['target']} {node['failureSummary'][:300]}"
                    for one in told["violations"]
                    for node in one["nodes"][:3]
                ]

    assert not found, "\n".join(found)


def test_every_page_can_be_printed(
    chromium: Browser, still_address: str, pages: list[str], cookies: list[Any], shots
) -> None:
    with window(chromium, still_address, 794, "dark", cookies=cookies) as page:
        page.emulate_media(media="print", color_scheme="dark")
        for path in pages:
            visit(page, path)
            assert page.locator("body").evaluate("b => getComputedStyle(b).backgroundColor") == (
                "rgb(255, 255, 255)"
            ), path
            for gone in (".nav", ".actions", ".filter", ".bulk", ".views", "form.stack"):
                assert page.locator(f"{gone}:visible").count() == 0, f"{path} prints {gone}"
            if path != "/login":
                assert page.locator(".print-only").is_visible(), path
            page.screenshot(path=shots / f"{name_of(path)}-print.png", full_page=True)
            assert (
                page.pdf(path=shots / f"{name_of(path)}.pdf", prefer_css_page_size=True)[:4]
                == b"%PDF"
            )


def test_times_are_in_utc_with_the_distance(
    chromium: Browser, still_address: str, pages: list[str], cookies: list[Any]
) -> None:
    """Each says its moment in words that name UTC, itself or in the head of its column."""
    count = 0
    with window(chromium, still_address, cookies=cookies) as page:
        for path in pages:
            visit(page, path)
            unfold(page)
            said = page.evaluate(
                """[...document.querySelectorAll("main time")].map((time) => {
                  const cell = time.closest("td");
                  const head = cell && cell.closest("table").querySelectorAll("thead th")[cell.cellIndex];
                  const where = (head ?? time.closest("section")?.querySelector("h2"))?.textContent ?? "";
                  const words = time.textContent + (time.nextElementSibling?.textContent ?? "");
                  return [time.dateTime, words, /UTC/.test(time.textContent + where)];
                })"""
            )
            count += len(said)
            for moment, words, is_utc in said:
                assert moment.endswith("Z"), f"{path}: {moment}"
                assert is_utc, f"{path}: {words} does not say UTC"
                assert any(x in words for x in ("ago", "in ", "now", "today")), f"{path}: {words}"
    assert count > 50


def test_first_load_is_small_and_asks_nobody_else(
    chromium: Browser, still_address: str, cookies: list[Any]
) -> None:
    sizes: dict[str, int] = {}
    with window(chromium, still_address, cookies=cookies) as page:
        page.on("response", lambda answer: sizes.update({answer.url: len(answer.body())}))
        page.goto("/queue", wait_until="networkidle")

    small = {url.removeprefix(still_address): size for url, size in sizes.items()}
    total = sum(size for url, size in small.items() if not url.endswith(".svg"))
    print(f"first load of the queue: {total:,} bytes in {len(small)} answers: {small}")
    assert total < FIRST_LOAD
    assert all(url.startswith("/") for url in small)
