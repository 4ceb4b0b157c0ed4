"""The main task, by keyboard and by mouse, as often counted as a person moves a finger."""

import pytest
from playwright.sync_api import Browser, expect

from soc.incidents import lifecycle
from tests.browser.windows import Hand, log_in, window
from tests.web.story import Site

pytestmark = pytest.mark.browser

LINE = "A burst of gifts"
MOST = 6


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_main_task_takes_at_most_six_clicks_and_a_line(
    chromium: Browser, address: str, site: Site, *, scripts: bool
) -> None:
    with window(chromium, address, scripts=scripts) as page:
        log_in(page)
        hand = Hand(page)
        hand.click(page.locator(".queue a.title").first)
        expect(page.locator("#why")).to_contain_text("qf-wallet-flood")
        hand.click(page.get_by_role("button", name="Approve"))
        expect(page.locator("#timeline")).to_contain_text("max approved")
        hand.click(page.get_by_label("True positive"))
        hand.click(page.get_by_label("What happened, in one line"))
        hand.write(LINE)
        hand.click(page.get_by_role("button", name="Close incident"))
        expect(page.locator("#close dl")).to_contain_text(LINE)

    print(f"main task by mouse: {hand.clicks} clicks, {hand.lines} line")
    assert (hand.clicks <= MOST, hand.lines, hand.keys) == (True, 1, [])
    with site.front.reading() as looking:
        assert lifecycle.get(looking, 1).verdict == "true_positive"


def test_main_task_takes_at_most_six_keys_and_a_line(
    chromium: Browser, address: str, site: Site
) -> None:
    with window(chromium, address) as page:
        log_in(page)
        hand = Hand(page)
        hand.press("Enter")
        page.wait_for_url("**/incidents/INC-1")
        expect(page.locator("html[data-js]")).to_be_attached()
        expect(page.locator("#why")).to_contain_text("qf-wallet-flood")
        hand.press("y")
        expect(page.get_by_role("button", name="Approve")).to_be_focused()
        hand.press("Enter")
        expect(page.locator("#timeline")).to_contain_text("max approved")
        expect(page.locator("html[data-js]")).to_be_attached()
        hand.press("c", "1")
        hand.write(LINE)
        hand.press("Control+Enter")
        expect(page.locator("#close dl")).to_contain_text(LINE)

    print(f"main task by keyboard: {len(hand.keys)} keys ({' '.join(hand.keys)}), 1 line")
    assert (len(hand.keys) <= MOST, hand.lines, hand.clicks) == (True, 1, 0)
    with site.front.reading() as looking:
        closed = lifecycle.get(looking, 1)
        assert (closed.verdict, closed.verdict_note) == ("true_positive", LINE)


def test_undo_takes_a_key_a_reason_and_a_key(chromium: Browser, address: str) -> None:
    with window(chromium, address) as page:
        log_in(page)
        page.goto("/incidents/INC-1")
        hand = Hand(page)
        hand.press("u", "Enter")
        hand.write("The donor appealed")
        hand.press("Control+Enter")
        expect(page.locator("#effects")).to_contain_text("Lifting")

    assert len(hand.keys) == 3


def test_theme_can_be_chosen(chromium: Browser, address: str) -> None:
    with window(chromium, address) as page:
        log_in(page)
        expect(page.locator("body")).to_have_css("background-color", "rgb(255, 255, 255)")

        page.get_by_role("button", name="Dark").click()

        expect(page.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")
        expect(page.locator("body")).to_have_css("background-color", "rgb(20, 22, 24)")
