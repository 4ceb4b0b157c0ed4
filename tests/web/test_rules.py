"""Rules by console and API: how they stand, what is broken, and switching them."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from textwrap import dedent
from threading import Event

import pytest
from httpx2 import Response
from sqlmodel import select

from soc.access.permissions import Role
from soc.app import rulefiles
from soc.app.later import Later
from soc.incidents import lifecycle
from soc.incidents.record import record
from soc.model.event import Row
from soc.store import rule_states
from soc.store.tables import AuditRow
from soc.web import rules
from tests.web.story import NOW, Site, finding, opened, user

RULE = dedent(
    """\
    title: A shop sold {what}
    id: 8d7c1f70-0a9e-4d6f-9a55-8f1f0c7ae3{number}
    name: shop-{what}
    status: test
    description: Made for a test.
    author: Nobody
    date: 2026-11-26
    tags: [attack.impact, attack.t1657]
    logsource: {{product: shop}}
    detection:
      sold: {{item: {what}}}
      condition: sold
    level: low
    """
)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with opened(tmp_path / "home") as site:
        with site.front.writing() as writing:
            writing.add(user("ada", {Role.AUTHOR}))
        own = site.front.suite.home.content("rules")
        (own / "shop-bread.yml").write_text(RULE.format(what="bread", number=10))
        (own / "shop-broken.yml").write_text("title: Broken\nlogsource: {product: x}\n")
        yield site


def told(site: Site, path: str, person: str = "vera", **given: str) -> Response:
    return site.seen_by(person).get(path, params=given)


def listed(site: Site, **given: str) -> dict[str, dict]:
    answer = told(site, "/api/v1/rules", limit="1000", **given)
    assert answer.status_code == 200, answer.text
    return {one["rule"]: one for one in answer.json()["items"]}


def test_every_rule_stands_with_alerts_precision_and_health(site: Site) -> None:
    suite, burst = site.front.suite, finding("qf-sybil-burst", seqs=(), monitor=False)
    with site.front.writing() as writing:
        record(writing, [burst], {}, NOW, suite.settings.incidents)
    found = listed(site)

    assert {"qf-sybil-burst", "shop-bread", "wallet-anomaly"} < set(found)
    own = found["shop-bread"]
    assert own["path"] == "content/rules/shop-bread.yml"
    assert (own["level"], own["techniques"], own["kind"]) == ("low", ["T1657"], "sigma")
    assert own["health"]["why"] == ["no event of its log source"]
    assert found["qf-sybil-burst"]["alerts"] == 1
    assert found["wallet-anomaly"]["kind"] == "detector"
    assert found["wallet-anomaly"]["alerts"] == 1
    assert set(listed(site, show="fired")) == {"qf-sybil-burst", "wallet-anomaly"}
    assert "shop-bread" in listed(site, show="dead", q="bread")
    page = told(site, "/rules", show="fired").text
    assert 'href="/alerts?rule=qf-sybil-burst&amp;days=30">1<' in page


def test_precision_is_that_of_decided_incidents_with_its_interval(site: Site) -> None:
    suite, before = site.front.suite, NOW - timedelta(minutes=1)
    with site.front.writing() as writing:
        record(writing, [finding("qf-sybil-burst", seqs=())], {}, before, suite.settings.incidents)
        number = lifecycle.alerts_of(writing, 1)[-1].incident or 1
        lifecycle.close(writing, number, "true_positive", "seen", "user:max", before)

    precise = listed(site)["qf-sybil-burst"]["precision"]

    assert (precise["n"], precise["value"], precise["high"]) == (1, 1.0, 1.0)
    assert 0 < precise["low"] < 1


def test_a_hit_makes_a_rule_active_and_the_page_says_of_how_many_events(site: Site) -> None:
    row = Row(
        ts=NOW, raw='{"item": "bread", "event": {"dataset": "shop"}}', parser="json", dataset="shop"
    )
    site.front.store([("shop", row)])
    found = told(site, "/api/v1/rules", limit="1000").json()

    assert found["examined"]["events"] == 3
    assert f"newest {found['examined']['events']} events" in told(site, "/rules").text
    states = {one["health"]["state"] for one in found["items"] if one["health"]}
    assert states <= {"active", "quiet", "dead"}


def test_lists_go_on_behind_the_last_slug(site: Site) -> None:
    every, seen, after = sorted(listed(site)), [], ""

    while after is not None:
        page = told(site, "/api/v1/rules", limit="50", after=after).json()
        seen += [one["rule"] for one in page["items"]]
        after = page["next"]

    assert seen == every


def test_broken_rules_are_named_by_file_and_line(site: Site) -> None:
    problems = told(site, "/api/v1/rules").json()["problems"]
    page = told(site, "/rules").text

    assert {one["path"] for one in problems} == {"content/rules/shop-broken.yml"}
    assert all(one["line"] >= 1 and one["message"] for one in problems)
    assert f"content/rules/shop-broken.yml:{problems[0]['line']}" in page
    assert "Correct the file" in page


def test_changed_files_are_read_anew(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rulefiles, "LOOK_EVERY", 0.0)
    own = site.front.suite.home.content("rules")
    assert "shop-cake" not in listed(site)

    (own / "shop-cake.yml").write_text(RULE.format(what="cake", number=11))
    (own / "shop-broken.yml").unlink()

    assert "shop-cake" in listed(site)
    assert told(site, "/api/v1/rules").json()["problems"] == []
    assert told(site, "/rules/shop-cake").status_code == 200


def test_while_rules_are_read_the_page_says_so(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.front.patience = 0.0
    gate = Event()
    slow = Later("the rules", lambda: gate.wait(30), site.clock, timedelta(days=1))
    monkeypatch.setattr(site.front.rulebook, "_book", slow)

    answers = [told(site, path) for path in ("/rules", "/rules/x", "/attack")]
    gate.set()

    assert [answer.status_code for answer in answers] == [503, 503, 503]
    assert all("Rules are being read" in answer.text for answer in answers)


def test_rule_page_shows_text_samples_and_where_it_stands(site: Site) -> None:
    page = told(site, "/rules/qf-sybil-burst").text
    whole = told(site, "/api/v1/rules/qf-sybil-burst").json()

    assert "condition: {gte: 200, field: wallet.address}" in page
    assert "1 that it must hit, 2 that it must not" in page
    assert whole["samples"] == {"hits": 1, "benign": 2, "problem": None}
    assert whole["counts"] == ["qf-announced-gift"]
    assert "Switching needs the role author or admin." in page
    assert "brings it" in told(site, "/rules/wallet-anomaly").text
    assert told(site, "/rules/none").status_code == 404
    assert told(site, "/api/v1/rules/none").status_code == 404


def test_who_writes_rules_switches_them_on_the_record(site: Site) -> None:
    browser, until = site.browser("ada"), "2026-11-30T12:00"
    form = {"mode": "monitor", "reason": "too many", "until": until}

    answer = browser.post("/rules/shop-bread/mode", data=form)
    page = browser.get("/rules/shop-bread").text

    assert answer.headers["Location"] == "/rules/shop-bread"
    with site.front.reading() as looking:
        assert rule_states.in_force(looking, NOW) == {"shop-bread": "monitor"}
        acts = looking.exec(select(AuditRow).where(AuditRow.action == "rule.monitor")).all()
    assert [(act.actor, act.object) for act in acts] == [("user:ada", "rule:shop-bread")]
    assert "too many" in page
    assert "by ada, until 30 Nov 12:00 UTC" in page
    assert set(listed(site, show="off")) == {"shop-bread"}
    assert listed(site)["shop-bread"]["mode"]["reason"] == "too many"


def test_a_switch_that_ran_out_counts_no_more(site: Site) -> None:
    form = {"mode": "disabled", "reason": "quiet", "until": "2026-11-23T09:00"}
    site.browser("ada").post("/rules/shop-bread/mode", data=form)
    assert listed(site)["shop-bread"]["mode"]["mode"] == "disabled"

    site.clock.moment = NOW + timedelta(hours=1)

    assert listed(site)["shop-bread"]["mode"]["mode"] == "active"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"reason": " "}, "A reason is needed"),
        ({"until": "2026-01-01T00:00"}, "is over"),
        ({"until": "tomorrow"}, "write a day and time in UTC"),
    ],
    ids=["no-reason", "over", "no-time"],
)
def test_a_switch_that_does_not_hold_water_is_refused_and_kept(
    site: Site, given: dict[str, str], words: str
) -> None:
    form = {"mode": "disabled", "reason": "loud", "until": "", **given}

    answer = site.browser("ada").post("/rules/shop-bread/mode", data=form)

    assert answer.status_code == 422
    assert words in answer.text
    assert 'value="disabled" checked' in answer.text
    with site.front.reading() as looking:
        assert rule_states.in_force(looking, NOW) == {}


def test_nobody_else_switches_rules(site: Site) -> None:
    form = {"mode": "disabled", "reason": "loud"}

    by_form = site.browser("rob").post("/rules/shop-bread/mode", data=form)
    by_api = site.browser("rob").post("/api/v1/rules/shop-bread/mode", json=form)

    assert (by_form.status_code, by_api.status_code) == (403, 403)
    with site.front.reading() as looking:
        assert rule_states.in_force(looking, NOW) == {}


def test_the_api_switches_as_the_form_does(site: Site) -> None:
    browser = site.browser("ada")
    given = {"mode": "disabled", "reason": "loud"}

    done = browser.post("/api/v1/rules/shop-bread/mode", json=given)
    missing = browser.post("/api/v1/rules/none/mode", json=given)
    late = browser.post(
        "/api/v1/rules/shop-bread/mode", json={**given, "until": "2020-01-01T00:00:00Z"}
    )

    assert done.json()["mode"]["mode"] == "disabled"
    assert (missing.status_code, late.status_code) == (404, 409)
    assert rules.SWITCHED == ("rule.active", "rule.monitor", "rule.disabled")


def test_alerts_can_be_narrowed_to_the_last_days(site: Site) -> None:
    site.clock.moment = NOW + timedelta(days=3)

    assert "ALR-2" in told(site, "/alerts", rule="wallet-anomaly", days="30").text
    assert "No alert fits this view" in told(site, "/alerts", rule="wallet-anomaly", days="1").text
