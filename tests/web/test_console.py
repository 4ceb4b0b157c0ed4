import shutil
from collections import deque
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urldefrag, urljoin, urlsplit

import pytest
from sqlmodel import select

from soc.access import keys
from soc.incidents import lifecycle
from soc.respond import approvals
from soc.store.tables import (
    Alert,
    AlertEntity,
    AlertEvent,
    Approval,
    ApprovalVote,
    AuditRow,
    Effect,
    Incident,
    IncidentEntity,
    IncidentNote,
    IncidentOpening,
    IncidentPause,
    Run,
    Step,
)
from soc.web.console import site as console_site
from tests.web.story import EVIL, WALLET, Site, opened

TRIAGE = {
    *("close", "notes", "assign", "move", "escalate", "split", "merge", "share", "entities"),
    *("tasks", "files"),
}
PAGES = [
    "/queue",
    "/queue?state=all",
    "/queue?state=closed",
    "/queue?mine=1",
    "/queue?kind=operations",
    "/queue?kind=monitor",
    "/queue?q=0x7a3f",
    "/incidents/INC-1",
    "/incidents/INC-2",
    "/hunt",
    "/hunt?q=event.dataset:x&since=all",
    "/hunt?language=sigma",
    "/alerts",
    "/alerts?incident=INC-1",
    "/alerts/1",
    "/alerts/2",
    "/runs",
    "/runs/1",
    "/runs/2",
    "/approvals",
    "/approvals/1",
    "/effects",
    "/effects?state=all",
    "/effects?state=proposed&incident=INC-1",
    "/rejects",
    "/lists",
    "/rules",
    "/rules?show=fired&q=wallet",
    "/rules/qf-wallet-flood",
    "/rules/wallet-anomaly",
    "/rules/no-such-rule",
    "/attack",
    "/attack?show=unproven",
    "/sources",
    "/rejects?source=nginx",
    "/playbooks",
    "/playbooks/qf-hold-by-hand",
    "/playbooks/qf-sybil-containment?incident=INC-1",
    "/playbooks/qf-sybil-containment?incident=INC-99",
    "/threats",
    "/health",
    "/settings",
    "/queue?due=30",
    "/suppressions",
    "/suppressions?state=all",
    "/suppressions/new?rule=qf-wallet-flood",
    "/nothing-here",
    "/incidents/INC-99",
    "/runs?page=x",
    "/login",
]
KNOWN = {"script", "img"}
EACH = 12
"""Pages of one kind that links are followed to."""
FORMATS = 2
"""Files of the rows of one figure that are fetched, of those of each window."""
VOID = {"meta", "link", "input", "br", "img"}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with opened(tmp_path / "home") as site:
        yield site


@pytest.fixture(scope="module")
def emptied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return a site where nothing happened yet."""
    with opened(tmp_path_factory.mktemp("emptied") / "home") as site:
        with site.front.writing() as writing:
            for table in (
                ApprovalVote, Approval, Step, Effect, Run, AlertEvent, AlertEntity, Alert,
                IncidentEntity, IncidentNote, IncidentOpening, IncidentPause, Incident,
            ):  # fmt: skip
                for row in writing.exec(select(table)):
                    writing.delete(row)
                writing.flush()
        yield site


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.depth: list[str] = []
        self.wrong: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.depth.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.depth or self.depth.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]

    @property
    def forms(self) -> set[str]:
        return {form["action"] or "" for form in self.all("form") if form.get("method") == "post"}

    @property
    def links(self) -> list[str]:
        found = [a.get("href") for a in self.all("a")] + [a.get("href") for a in self.all("link")]
        return [href for href in [*found, *(s.get("src") for s in self.all("script"))] if href]


def page(site: Site, person: str, path: str) -> Page:
    return Page(site.seen_by(person).get(path).text)


def crowded(target: str, seen: set[str]) -> bool:
    """Return whether enough of the pages that are as many as there are rules were seen."""
    figure, window, _ = target.partition("&window=")
    if window and figure.startswith("/api/v1/kpis/rows?"):
        return sum(one.startswith(f"{figure}&") for one in seen) >= FORMATS
    kinds = ("/rules/", "/alerts?rule=", "/api/v1/rules/", "/playbooks/", "/api/v1/playbooks/")
    kind = next((one for one in kinds if target.startswith(one)), None)
    return kind is not None and sum(one.startswith(kind) for one in seen) >= EACH


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("person", ["vera", "max"])
def test_page_is_whole_inert_and_has_no_inline_style_or_script(
    still: Site, person: str, path: str
) -> None:
    answer = still.seen_by(person).get(path, follow_redirects=True)

    shown = Page(answer.text)
    assert answer.headers["Content-Type"].startswith("text/html")
    assert shown.wrong == []
    assert shown.depth == []
    assert len(shown.all("h1")) == 1
    assert shown.all("style") == []
    assert shown.all("img") == []
    assert [script.get("src") for script in shown.all("script")] == ["/static/console.js"]
    for _, attrs in shown.tags:
        assert not [name for name in attrs if name == "style" or name.startswith("on")]
    named = [attrs["id"] for _, attrs in shown.tags if "id" in attrs]
    assert len(named) == len(set(named))


@pytest.mark.parametrize(
    ("person", "forms"),
    [
        ("vera", set()),
        ("ann", TRIAGE),
        ("rob", {*TRIAGE, "lift"}),
        ("ines", {"decide"}),
        ("max", {*TRIAGE, "lift", "decide"}),
    ],
)
def test_incident_page_has_the_forms_that_the_person_may_use(
    still: Site, person: str, forms: set[str]
) -> None:
    shown = page(still, person, "/incidents/INC-1")

    assert {form.rpartition("/")[2] for form in shown.forms} - {"theme", "logout"} == forms
    assert ("Closing needs the role" in shown.text) is ("close" not in forms)
    assert ("Lifting needs the role" in shown.text) is ("lift" not in forms)
    assert ("You may not vote." in shown.text) is ("decide" not in forms)


@pytest.mark.parametrize("person", ["max", "vera"], ids=["who may much", "who may look"])
def test_every_link_of_every_page_answers(still: Site, person: str) -> None:
    browser = still.seen_by(person)
    seen, waiting = {"/queue"}, deque(["/queue"])

    while waiting:
        path = waiting.popleft()
        answer = browser.get(path)
        assert answer.status_code == 200, path
        if not answer.headers["Content-Type"].startswith("text/html"):
            continue
        shown = Page(answer.text)
        ids = {attrs.get("id") for _, attrs in shown.tags}
        for link in shown.links:
            target, part = urldefrag(urljoin(path, link))
            if crowded(target, seen):
                continue
            assert not urlsplit(target).netloc
            assert target != path or not part or part in ids, f"{path}#{part}"
            if target not in seen:
                seen.add(target)
                waiting.append(target)

    assert {"/runs/1", "/alerts/2", "/api/v1/approvals/1", "/static/console.css"} < seen


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/queue", "No incident is open"),
        ("/queue?mine=1", "Nothing fits this view"),
        ("/alerts", "No rule has fired yet"),
        ("/runs", "No playbook has run yet"),
        ("/approvals", "Nothing waits for a decision"),
        ("/effects", "Nobody is held back"),
        ("/rejects?after=1000", "No more rejects"),
    ],
)
def test_empty_page_says_what_is_missing(emptied: Site, path: str, words: str) -> None:
    answer = emptied.seen_by("vera").get(path)

    assert answer.status_code == 200
    assert words in answer.text


def test_queue_shows_the_worst_first_and_nothing_that_is_only_watched(still: Site) -> None:
    titles = [
        a["href"] for a in page(still, "vera", "/queue").all("a") if a.get("class") == "title"
    ]
    watched = [
        a["href"]
        for a in page(still, "vera", "/queue?kind=monitor").all("a")
        if a.get("class") == "title"
    ]

    assert titles == ["/incidents/INC-1", "/incidents/INC-2"]
    assert watched == ["/incidents/INC-3"]


def test_incident_page_says_why_with_evidence_and_plan(still: Site) -> None:
    shown = page(still, "max", "/incidents/INC-1").text

    for words in (
        "qf-wallet-flood",
        "Opened this incident",
        "Shares ip:203.0.113.9 with this incident",
        f"wallet.address {WALLET}",
        '{"message": "gift 1 ' + EVIL,
        "sha256:",
        f"wallet:{WALLET}",
        "Rate limit, 6 requests a minute, 3 at once",
        "0 of 1 approved",
    ):
        assert words in shown


def test_evidence_is_shown_when_the_log_is_gone(site: Site) -> None:
    for folder in ("seg", "wal"):
        shutil.rmtree(site.front.suite.home.events / folder, ignore_errors=True)
    (site.front.suite.home.events / "wal").mkdir()

    answer = site.browser("vera").get("/alerts/1")

    assert '{"message": "gift 1 ' + EVIL in Page(answer.text).text


def close(site: Site, person: str, **form: str):
    return site.browser(person).post("/incidents/INC-1/close", data=form)


def test_close_needs_verdict_and_note_and_keeps_what_was_typed(site: Site) -> None:
    bare = close(site, "ann", note=f"It was {EVIL}")
    mute = close(site, "ann", verdict="test", note=" ")
    odd = close(site, "ann", verdict="guilty", note="yes")

    assert bare.status_code == 422
    assert "Verdict: choose one." in bare.text
    assert f"It was {EVIL}" in Page(bare.text).text
    assert mute.status_code == 422
    assert 'value="test" required checked' in mute.text
    assert odd.status_code == 409
    with site.front.reading() as looking:
        assert lifecycle.get(looking, 1).state == "new"


def test_close_is_done_once(site: Site) -> None:
    done = close(site, "ann", verdict="true_positive", note="A burst")
    again = close(site, "ann", verdict="test", note="Again")

    assert (done.status_code, done.headers["location"]) == (303, "/incidents/INC-1#close")
    assert again.status_code == 409
    shown = page(site, "ann", "/incidents/INC-1")
    assert "Closed as true positive: A burst, by ann." in shown.text
    assert {form.rpartition("/")[2] for form in shown.forms} == {
        *("theme", "logout", "notes", "reopen")
    }


@pytest.mark.parametrize(
    ("person", "path", "form"),
    [
        ("vera", "/incidents/INC-1/close", {"verdict": "test", "note": "x"}),
        ("ines", "/incidents/INC-1/notes", {"text": "x"}),
        ("vera", "/incidents/INC-1/assign", {}),
        ("vera", "/incidents/INC-1/move", {"state": "on_hold"}),
        ("ann", "/approvals/1/decide", {"decision": "approve"}),
        ("ann", "/effects/EF-1-limit-0/lift", {"reason": "x"}),
    ],
)
def test_who_may_not_is_told_so_and_nothing_changes(
    still: Site, person: str, path: str, form: dict[str, str]
) -> None:
    browser = still.seen_by(person)
    before = browser.get("/api/v1/incidents/INC-1").json()

    answer = browser.post(path, data=form)

    assert answer.status_code == 403
    assert "You may not do this" in answer.text
    assert browser.get("/api/v1/incidents/INC-1").json() == before


def test_work_forms_change_the_incident(site: Site) -> None:
    browser = site.browser("ann")

    for path, form in (
        ("notes", {"text": f"Seen {EVIL}"}),
        ("assign", {}),
        ("move", {"state": "on_hold"}),
    ):
        assert browser.post(f"/incidents/INC-1/{path}", data=form).status_code == 303

    shown = Page(browser.get("/incidents/INC-1").text)
    assert "ann (you)" in shown.text
    assert "On hold, by ann." in shown.text
    assert f"Seen {EVIL}" in shown.text
    assert browser.post("/incidents/INC-1/notes", data={"text": " "}).status_code == 422
    assert browser.post("/incidents/INC-1/move", data={"state": "closed"}).status_code == 409
    assert browser.post("/incidents/INC-1/move", data={"state": "odd"}).status_code == 422


def digest_of(site: Site) -> str:
    with site.front.reading() as looking:
        return looking.get_one(Approval, 1).digest


def test_approve_is_bound_to_the_plan_that_was_read(site: Site) -> None:
    browser = site.browser("ines")
    form = {"decision": "approve", "reason": "looks right"}

    answer = browser.post("/approvals/1/decide", data={**form, "digest": "sha256:0"})

    assert answer.status_code == 409
    said = Page(answer.text)
    assert "Your answer was not counted" in said.text
    assert digest_of(site) in said.text
    assert "looks right" in said.text
    assert "/approvals/1" in said.links


def test_approve_is_counted_and_leads_back(site: Site) -> None:
    browser = site.browser("ines")
    form = {"decision": "approve", "digest": digest_of(site), "back": "/incidents/INC-1"}

    answer = browser.post("/approvals/1/decide", data=form)

    assert answer.headers["location"] == "/incidents/INC-1"
    assert "ines approved" in Page(browser.get("/approvals/1").text).text
    assert browser.post("/approvals/1/decide", data=form).status_code == 409


def test_reject_needs_a_reason(site: Site) -> None:
    browser, form = site.browser("ines"), {"decision": "reject", "digest": digest_of(site)}

    assert browser.post("/approvals/1/decide", data=form).status_code == 409
    assert browser.post("/approvals/1/decide", data={**form, "reason": "no"}).status_code == 303
    assert browser.post("/approvals/1/decide", data={"digest": "x"}).status_code == 422


def test_page_and_guard_agree_on_who_may_vote(site: Site) -> None:
    with site.front.writing() as writing:
        run = writing.get_one(Run, 1)
        run.requested_by = "user:ines"
        writing.add(run)

    shown = page(site, "ines", "/approvals/1")

    assert "You asked for this run: somebody else decides" in shown.text
    assert not any(form.endswith("decide") for form in shown.forms)


def test_lift_needs_a_reason_and_an_active_effect(site: Site) -> None:
    browser = site.browser("rob")
    path = "/effects/EF-1-limit-0/lift"

    assert browser.post(path, data={"reason": " "}).status_code == 422
    assert browser.post(path, data={"reason": "appeal"}).headers["location"] == "/effects"
    assert browser.post(path, data={"reason": "appeal"}).status_code == 409
    assert browser.post("/effects/EF-9/lift", data={"reason": "x"}).status_code == 404
    with site.front.reading() as looking:
        assert looking.get_one(Effect, "EF-1-limit-0").state == "lifting"


@pytest.mark.parametrize(
    "path",
    [
        "/incidents/INC-99", "/incidents/x", "/incidents/INC-99999999999999999999",
        "/alerts/99", "/alerts/99999999999999999999", "/runs/x", "/approvals/٣", "/nothing",
        "/runs/" + "0" * 20 + "9" * 30, "/runs/" + "9" * 5000, "/runs/INC-1",
    ],
)  # fmt: skip
def test_what_is_not_there_is_a_page_that_says_so(still: Site, path: str) -> None:
    answer = still.seen_by("vera").get(path)

    assert answer.status_code == 404
    assert "There is no" in answer.text


def test_nothing_changes_on_get(still: Site) -> None:
    browser = still.seen_by("max")

    for path in ("/incidents/INC-1/close", "/logout", "/theme", "/effects/EF-1-limit-0/lift"):
        assert browser.get(path).status_code == 405


def test_signed_out_visitor_of_a_strange_path_sees_nothing_of_ours(still: Site) -> None:
    shown = Page(still.browser().get("/nothing").text)

    assert shown.all("nav") == []
    assert shown.links.count("/login?next=%2Fnothing") == 1


def test_programs_get_errors_as_json(still: Site) -> None:
    answer = still.seen_by("vera").get("/api/v1/incidents/INC-99")

    assert answer.status_code == 404
    assert answer.json()["error"] == "NotFound"


def test_stylesheet_stays_small_and_asks_nobody_else() -> None:
    style = (Path(console_site.STATIC) / "console.css").read_text()

    assert len(style.encode()) < 25_000
    assert "url(" not in style
    assert "@import" not in style


def test_acts_of_the_console_are_audited(site: Site) -> None:
    browser = site.browser("max")
    browser.post("/approvals/1/decide", data={"decision": "approve", "digest": digest_of(site)})
    browser.post("/effects/EF-1-limit-0/lift", data={"reason": "appeal"})
    close(site, "max", verdict="test", note="Drill")

    with site.front.reading() as looking:
        acts = looking.exec(select(AuditRow.action).where(AuditRow.actor == "user:max")).all()
    assert {"login.done", "approval.approve", "effect.lift", "incident.close"} <= set(acts)


FORMS = {
    "close": ("/incidents/INC-1/close", {"verdict": "test", "note": "x"}),
    "lift": ("/effects/EF-1-limit-0/lift", {"reason": "x"}),
    "decide": ("/approvals/1/decide", {"decision": "approve"}),
}


@pytest.mark.parametrize(("path", "form"), FORMS.values(), ids=FORMS)
def test_what_people_decide_no_machine_does_by_a_form(
    still: Site, path: str, form: dict[str, str]
) -> None:
    with still.front.writing() as writing:
        token = keys.create_token(writing, f"m{path}", "admin", None, still.clock.now())

    headers = {"Authorization": f"Bearer {token}"}
    answer = still.browser().post(path, data=form, headers=headers)

    assert answer.status_code == 403
    assert "Only a person does this" in answer.text or "lacks the permission" in answer.text


def test_the_inbox_shows_a_page_of_questions_and_counts_the_rest(site: Site) -> None:
    with site.front.writing() as writing:
        first = approvals.get(writing, 1).model_dump(exclude={"id", "path"})
        writing.add_all(Approval(**first, path=f"ask[{n}]") for n in range(60))

    shown = Page(site.browser("ines").get("/approvals").text)

    assert "11 more wait" in shown.text


def test_a_case_is_worked_by_forms_alone(site: Site) -> None:
    max_ = site.browser("max")

    def send(verb: str, **form: object) -> int:
        return max_.post(f"/incidents/INC-1/{verb}", data=form).status_code

    assert send("escalate") == 303
    assert send("escalate") == 409
    assert send("share", tlp="red", pap="amber") == 303
    assert send("tasks", title="ask the donor", assignee="otto") == 303
    assert send("tasks/1", state="completed") == 303
    assert send("entities", entity="ip:192.0.2.99", ignored="true") == 303
    assert send("notes", text="first") == 303
    assert send("notes/1", text="second") == 303
    file = {"file": ("seen.txt", b"seen", "text/plain")}
    assert max_.post("/incidents/INC-1/files", files=file).status_code == 303
    assert send("split", alert=[2], reason="another") == 303
    assert send("split", alert=[2], reason="again") == 404

    shown = max_.get("/incidents/INC-1").text

    for said in ("Critical", "TLP:RED", "Completed", "1 earlier version", "seen.txt", "Take back"):
        assert said in shown, said
    assert max_.post("/moves/1/undo").headers["location"] == "/incidents/INC-1#why"
    assert send("close", verdict="test", note="a drill") == 303
    assert send("reopen", reason="it goes on") == 303
    assert (
        max_.post("/incidents/INC-1/merge", data={"into": "INC-2", "reason": "x"}).status_code
        == 409
    )
