"""Keys do what the page's links and buttons do, for the row that has the cursor."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from soc.incidents import lifecycle
from tests.browser.furnished import crowd
from tests.browser.windows import log_in, window
from tests.web.story import Site

pytestmark = pytest.mark.browser


@pytest.fixture
def page(chromium: Browser, address: str, site: Site) -> Iterator[Page]:
    crowd(site, 3)
    with window(chromium, address) as page:
        log_in(page)
        yield page


def cursor(page: Page) -> Locator:
    return page.locator("tbody > tr[aria-current=true]")


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def landed(page: Page, path: str) -> None:
    """Wait until *path* is there and its keys work."""
    page.wait_for_url(f"**{path}")
    expect(page.locator("html[data-js]")).to_be_attached()


def test_the_cursor_begins_at_the_worst_incident_moves_and_is_kept(page: Page) -> None:
    expect(cursor(page)).to_have_attribute("data-id", "INC-4")
    expect(cursor(page).locator("a.title")).to_be_focused()

    press(page, "j", "j", "k", "k", "k", "j")

    second = cursor(page).get_attribute("data-id")
    assert second != "INC-4"
    expect(cursor(page).locator("a.title")).to_be_focused()
    press(page, "Enter")
    landed(page, f"/incidents/{second}")
    press(page, "Escape")
    landed(page, "/queue")
    expect(cursor(page)).to_have_attribute("data-id", str(second))


def test_back_leads_to_the_filter_one_came_from(page: Page) -> None:
    page.goto("/queue?q=web-1")
    press(page, "Enter")
    page.wait_for_url("**/incidents/*")
    expect(page.locator("html[data-js]")).to_be_attached()

    press(page, "Escape")

    landed(page, "/queue?q=web-1")


def test_brackets_lead_through_the_queue(page: Page) -> None:
    order = page.locator(".queue > tbody > tr").evaluate_all("rows => rows.map(r => r.dataset.id)")
    press(page, "Enter")
    landed(page, f"/incidents/{order[0]}")

    press(page, "]")
    landed(page, f"/incidents/{order[1]}")
    press(page, "[")
    landed(page, f"/incidents/{order[0]}")
    press(page, "[")

    expect(page).to_have_url(f"{page.url.rpartition('/')[0]}/{order[0]}")


def test_assign_and_escalate_act_on_the_row(page: Page, site: Site) -> None:
    press(page, "j")
    chosen = int(str(cursor(page).get_attribute("data-id")).removeprefix("INC-"))
    with page.expect_navigation():
        press(page, "a")
    expect(cursor(page).locator(".c-owner")).to_have_text("max")
    with page.expect_navigation():
        press(page, "e")
    expect(page.locator(f'[data-id="INC-{chosen}"] .c-sev')).to_have_text("Critical")

    with site.front.reading() as looking:
        assert lifecycle.get(looking, chosen).owner == "max"


def test_what_is_checked_is_closed_together(page: Page, site: Site) -> None:
    press(page, "x", "j", "x", "c")
    page.get_by_label("Verdict").select_option("test")
    page.get_by_label("What happened, in one line").fill("A drill")
    with page.expect_navigation():
        press(page, "Enter")

    expect(page.locator(".queue > tbody > tr")).to_have_count(3)
    with site.front.reading() as looking:
        closed = [n for n in range(1, 7) if lifecycle.get(looking, n).state == "closed"]
        assert len(closed) == 2


def test_merge_asks_why_and_takes_the_first_chosen(page: Page, site: Site) -> None:
    first, second = (
        int(str(row.get_attribute("data-id"))[4:])
        for row in page.locator(".queue > tbody > tr").all()[:2]
    )
    press(page, "x", "j", "x", "m", "Tab")
    page.keyboard.type("One outage")
    with page.expect_navigation():
        press(page, "Enter")

    expect(page.locator(".queue > tbody > tr")).to_have_count(4)
    with site.front.reading() as looking:
        assert lifecycle.get(looking, second).merged_into == first


def test_whoever_went_on_to_the_next_field_stays_there(page: Page) -> None:
    press(page, "x", "j", "x", "m", "Tab")
    page.locator(".bulk details.ask[open]").dispatch_event("toggle")  # it comes late

    expect(page.get_by_label("Why they are one")).to_be_focused()


def test_a_click_leads_into_the_first_field(page: Page) -> None:
    press(page, "x")
    page.locator(".bulk summary[data-key=m]").click()

    expect(page.get_by_label("Incident that takes the alerts")).to_be_focused()


def test_the_bar_works_without_scripts(chromium: Browser, address: str, site: Site) -> None:
    crowd(site, 2)
    with window(chromium, address, scripts=False) as page:
        log_in(page)
        expect(page.get_by_role("button", name="Assign to me")).not_to_be_visible()
        page.get_by_label("Choose INC-4").check()
        page.get_by_label("Choose INC-5").check()
        page.get_by_role("button", name="Assign to me").click()
        expect(page.locator(".c-owner", has_text="max")).to_have_count(2)


def test_fields_keep_their_keys(page: Page) -> None:
    press(page, "/")
    expect(page.locator("#q")).to_be_focused()

    page.keyboard.type("gj?x")

    expect(page.locator("#q")).to_have_value("gj?x")
    assert page.locator("dialog").count() == 0
    press(page, "Escape")
    expect(page.locator("#q")).not_to_be_focused()


def test_help_lists_every_key_and_closes(page: Page) -> None:
    press(page, "?")
    box = page.get_by_role("dialog")
    for words in ("escalate", "merge", "Approvals", "Hunt", "print"):
        expect(box).to_contain_text(words)
    press(page, "j")
    expect(cursor(page)).to_have_attribute("data-id", "INC-4")

    press(page, "Escape")

    expect(box).to_have_count(0)
    landed(page, "/queue")


def test_g_leads_to_every_place_that_help_names(page: Page) -> None:
    places = page.locator(".nav [data-go]").evaluate_all(
        "a => a.map(x => [x.dataset.go, x.pathname])"
    )
    assert len(places) >= 8
    assert len({key for key, _ in places}) == len(places)
    for key, path in places:
        press(page, "g", key)
        landed(page, path)


def test_approvals_are_read_and_rejected_by_keys(page: Page) -> None:
    press(page, "g", "a")
    landed(page, "/approvals")
    press(page, "j", "y")
    expect(page.get_by_role("button", name="Approve")).to_be_focused()
    press(page, "o")
    landed(page, "/runs/1")
    page.go_back()
    landed(page, "/approvals")

    press(page, "n")
    page.keyboard.type("Not enough evidence")
    with page.expect_navigation():
        press(page, "Enter")

    expect(page.locator("#decided")).to_contain_text("max rejected")


def test_enter_in_a_reason_never_approves(page: Page) -> None:
    page.goto("/approvals")
    page.get_by_label("Reason").fill("Rather not")
    press(page, "Enter")

    expect(page.get_by_role("button", name="Approve")).to_be_visible()
    expect(page.locator("#decided")).to_have_count(0)


def test_a_viewer_is_promised_no_keys_that_change_anything(chromium: Browser, address: str) -> None:
    with window(chromium, address) as page:
        log_in(page, "vera")
        expect(page.locator(".keys")).not_to_contain_text("assign")
        press(page, "a", "x", "c")
        expect(page).to_have_url(f"{address}/queue")
        assert page.get_by_role("checkbox").count() == 0
