from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select
from starlette.testclient import TestClient

from soc.access import keys
from soc.access.permissions import Role
from soc.errors import LogError
from soc.store.tables import AuditRow, LoginSession, User
from soc.web.console.shell import local
from soc.web.front import COOKIE
from soc.web.server import config_of
from tests.web.story import PASSWORD, Site, opened, user


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with opened(tmp_path / "home") as site:
        yield site


def events(site: Site) -> list[tuple[str, str, str]]:
    batch = site.front.log.reader.scan(0, 1000)
    return list(
        zip(*(batch.column(name) for name in ("action", "outcome", "user_name")), strict=True)
    )


def acts(site: Site) -> list[tuple[str, str, str]]:
    with site.front.reading() as looking:
        rows = looking.exec(select(AuditRow))
        return [(row.actor, row.action, row.outcome) for row in rows if row.action[:3] == "log"]


def log_in(site: Site, user: str, password: str, **more: str) -> Any:
    return site.browser().post("/login", data={"user": user, "password": password, **more})


def notes(browser: TestClient) -> list[str]:
    return [note["text"] for note in browser.get("/api/v1/incidents/INC-1").json()["notes"]]


def test_right_password_begins_a_session_that_is_recorded_and_told(site: Site) -> None:
    answer = log_in(site, "ann", PASSWORD, next="/incidents/INC-1")

    assert (answer.status_code, answer.headers["location"]) == (303, "/incidents/INC-1")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    assert "Path=/" in cookie
    assert "Secure" not in cookie
    assert acts(site) == [("user:ann", "login.done", "done")]
    assert events(site) == [("login", "success", "ann")]


def test_cookie_is_secure_over_tls(site: Site) -> None:
    browser = site.browser()
    browser.base_url = "https://soc.example"

    answer = browser.post("/login", data={"user": "ann", "password": PASSWORD})

    assert "Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize("user", ["ann", "nobody"])
def test_wrong_password_and_unknown_user_look_the_same(site: Site, user: str) -> None:
    answer = log_in(site, user, "hunter2hunter2")

    assert answer.status_code == 403
    assert "User name and password do not match." in answer.text
    assert "hunter2hunter2" not in answer.text
    assert "set-cookie" not in answer.headers
    assert acts(site) == [("soc", "login.refused", "refused")]
    assert events(site) == [("login", "failure", user)]


def test_ten_failures_lock_the_name_for_this_address(site: Site) -> None:
    for _ in range(10):
        log_in(site, "ann", "wrong")

    answer = log_in(site, "ann", PASSWORD)

    assert answer.status_code == 429
    assert "wait 15 minutes" in answer.text
    assert log_in(site, "rob", PASSWORD).status_code == 303


def test_too_many_tries_are_told_once(site: Site) -> None:
    with site.front.writing() as writing:
        writing.add_all(user(f"user{n}", {Role.VIEWER}) for n in range(33))

    answers = [log_in(site, f"user{n}", "wrong").status_code for n in range(33)]

    assert answers == [403] * 30 + [429] * 3
    assert [event for event in events(site) if event[0] == "limit"] == [("limit", "failure", None)]


def test_passwords_are_in_no_event_and_no_record(site: Site) -> None:
    log_in(site, "ann", "hunter2hunter2")
    log_in(site, "ann", PASSWORD)

    with site.front.reading() as looking:
        said = " ".join(looking.exec(select(AuditRow.record)))
    said += " ".join(site.front.log.reader.scan(0, 1000).column("raw"))
    assert "hunter2hunter2" not in said
    assert PASSWORD not in said


@pytest.mark.parametrize(
    ("target", "where"),
    [
        ("/runs/1?x=1#y", "/runs/1?x=1#y"),
        ("//evil.example", "/queue"),
        ("/\\evil.example", "/queue"),
        ("/\t/evil.example", "/queue"),
        ("/\n/evil.example", "/queue"),
        ("https://evil.example", "/queue"),
        ("javascript:alert(1)", "/queue"),
        ("runs", "/queue"),
        ("", "/queue"),
    ],
    ids=repr,
)
def test_log_in_leads_only_to_own_pages(still: Site, target: str, where: str) -> None:
    assert local(target) == where
    answer = log_in(still, "ann", PASSWORD, next=target)
    assert answer.headers["location"] == where


def test_session_is_new_with_each_log_in_and_the_old_one_ends(site: Site) -> None:
    browser = site.browser("ann")
    old = browser.cookies[COOKIE]

    browser.post("/login", data={"user": "ann", "password": PASSWORD})

    assert browser.cookies[COOKIE] != old
    with site.front.reading() as looking:
        assert keys.of_session(looking, old, site.clock.now()) is None


def test_log_out_ends_the_session_here_too(site: Site) -> None:
    browser = site.browser("ann")
    secret = browser.cookies[COOKIE]

    answer = browser.post("/logout")

    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert COOKIE not in browser.cookies
    with site.front.reading() as looking:
        assert looking.exec(select(LoginSession)).all() == []
    stale = site.browser().get("/queue", headers={"Cookie": f"{COOKIE}={secret}"})
    assert stale.headers["location"].startswith("/login")
    assert ("user:ann", "logout", "done") in acts(site)


def test_nobody_is_led_to_the_log_in_and_back(still: Site) -> None:
    answer = still.browser().get("/incidents/INC-1?x=1")

    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=%2Fincidents%2FINC-1%3Fx%3D1"


def test_a_program_without_a_token_gets_json(still: Site) -> None:
    answer = still.browser().get("/api/v1/incidents")

    assert answer.status_code == 401
    assert answer.json()["error"]


@pytest.mark.parametrize(
    ("headers", "taken"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://soc.example"}, False),
        ({"Origin": "http://soc.example"}, True),
        ({"Origin": "http://soc.example:81"}, False),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({}, False),
    ],
    ids=repr,
)
@pytest.mark.parametrize(
    "send",
    [
        lambda browser: browser.post("/incidents/INC-1/notes", data={"text": "hello"}),
        lambda browser: browser.post("/api/v1/incidents/INC-1/notes", json={"text": "hello"}),
    ],
    ids=["page", "api"],
)
def test_only_own_pages_change_things_in_a_session(
    still: Site, headers: dict[str, str], *, taken: bool, send: Callable[..., Any]
) -> None:
    browser = still.browser()
    browser.cookies = still.seen_by("ann").cookies
    before = notes(browser)
    del browser.headers["Sec-Fetch-Site"]
    browser.headers.update(headers)

    answer = send(browser)

    assert (answer.status_code in {200, 303}) is taken
    assert taken or answer.status_code == 403
    assert "Content-Security-Policy" in answer.headers
    assert notes(browser) == before + ["hello"] * taken


def test_another_site_cannot_log_a_browser_in_or_out(site: Site) -> None:
    browser = site.browser("ann")
    away = {"Sec-Fetch-Site": "cross-site"}
    form = {"user": "rob", "password": PASSWORD}

    assert site.browser().post("/login", data=form, headers=away).status_code == 403
    assert browser.post("/logout", headers=away).status_code == 403
    assert browser.get("/queue").status_code == 200


def test_token_needs_no_browser_headers(site: Site) -> None:
    with site.front.writing() as writing:
        token = keys.create_token(writing, "ci", "triage", None, site.clock.now())
    browser = site.browser()
    del browser.headers["Sec-Fetch-Site"]

    answer = browser.post(
        "/api/v1/incidents/INC-1/notes",
        json={"text": "hello"},
        headers={"Authorization": f"Bearer {token}"},
    )

    assert answer.status_code == 200


def test_a_form_has_a_greatest_size(site: Site) -> None:
    answer = site.browser().post(
        "/login",
        content=b"user=" + b"a" * 100_000,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )

    assert answer.status_code == 413


def test_a_long_password_is_not_said_again(site: Site) -> None:
    answer = log_in(site, "ann", "secret" * 1000)

    assert answer.status_code == 422
    assert "secretsecret" not in answer.text


def test_theme_is_kept_and_leads_back(site: Site) -> None:
    browser = site.browser("ann")

    answer = browser.post("/theme", data={"theme": "dark", "back": "/runs"})

    assert answer.headers["location"] == "/runs"
    assert '<html lang="en" data-theme="dark">' in browser.get("/runs").text


def test_a_forged_address_locks_nobody_else_and_frees_nobody(site: Site) -> None:
    """What is served believes X-Forwarded-For of nobody, as long as no proxy is trusted."""
    config = config_of(site.front)
    config.load()
    browser = TestClient(config.loaded_app, client=("127.0.0.1", 9), follow_redirects=False)
    for n in range(10):
        form = {"user": "ann", "password": "wrong"}
        browser.post("/login", data=form, headers={"X-Forwarded-For": f"198.51.100.{n}"})

    form = {"user": "ann", "password": PASSWORD}
    answer = browser.post("/login", data=form, headers={"X-Forwarded-For": "198.51.100.99"})

    assert answer.status_code == 429
    assert set(site.front.log.reader.scan(0, 99).column("src_ip")) == {"127.0.0.1"}


def test_people_get_in_while_the_event_store_takes_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(_table: object) -> None:
        raise LogError("no space left on device")

    monkeypatch.setattr(site.front.log, "append", full)

    assert log_in(site, "ann", PASSWORD).status_code == 303
    assert log_in(site, "ann", "wrong").status_code == 403
    assert "no space left on device" in caplog.text
    assert acts(site) == [
        ("user:ann", "login.done", "done"),
        ("soc", "login.refused", "refused"),
    ]


def test_a_token_of_a_disabled_person_is_nobodys_on_pages_too(site: Site) -> None:
    with site.front.writing() as writing:
        token = keys.create_token(writing, "t", "read", "vera", site.clock.now())
        writing.get_one(User, "vera").disabled = True

    headers = {"Authorization": f"Bearer {token}"}
    found = [site.browser().get(path, headers=headers) for path in ("/queue", "/login")]

    assert [answer.status_code for answer in found] == [401, 401]
    assert "may not log in any more" in found[0].text


def test_a_session_of_a_disabled_person_leads_to_the_log_in(site: Site) -> None:
    browser = site.browser("vera")
    with site.front.writing() as writing:
        writing.get_one(User, "vera").disabled = True

    assert browser.get("/queue").headers["location"].startswith("/login")
    assert browser.get("/api/v1/incidents").status_code == 401
    assert browser.get("/nothing").status_code == 404
