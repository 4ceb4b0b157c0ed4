"""Sources and rejects, ATT&CK, playbooks, health, settings and threats, by console and API."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
from httpx2 import Response
from sqlmodel import select

from soc.access.permissions import Role
from soc.app.reporting import assessed
from soc.incidents.record import record
from soc.model.event import Reject
from soc.report.threats import document
from soc.store import windows
from soc.store.tables import AuditRow, Effect, Run
from soc.web import sources
from tests.web.story import EVIL, NOW, WALLET, Site, finding, opened, user

SETTINGS = """\
inputs:
  sources:
    - {name: nginx, silent_after: 10m}
    - {name: chain, silent_after: 10m}
  hooks:
    - {name: shop, secret: an-unguessable-secret-0001, source: shop}
web: {session_hours: 9}
opensearch: {password: T0KEN-of-nobody}
"""
SECRETS = ("an-unguessable-secret-0001", "T0KEN")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with opened(tmp_path / "home", SETTINGS) as site:
        with site.front.writing() as writing:
            writing.add(user("ada", {Role.ADMIN}))
        yield site


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return a site that nobody changes."""
    with opened(tmp_path_factory.mktemp("still") / "home", SETTINGS) as site:
        yield site


def told(site: Site, path: str, person: str = "vera", **given: str) -> Response:
    return site.seen_by(person).get(path, params=given)


def plain(site: Site, path: str, **given: str) -> dict:
    answer = told(site, path, **given)
    assert answer.status_code == 200, answer.text
    return answer.json()


# Sources and rejects


def test_sources_are_told_with_rejects_and_silence(site: Site) -> None:
    site.clock.moment = NOW + timedelta(hours=1)
    found = {one["source"]: one for one in plain(site, "/api/v1/sources")["items"]}
    page = told(site, "/sources").text

    assert found["nginx"]["rejects"] == 1
    assert (found["nginx"]["silent"], found["nginx"]["silent_after_s"]) == (True, 600.0)
    assert (found["chain"]["last_seen"], found["chain"]["silent"]) == (None, True)
    assert (found["soc"]["expected"], found["soc"]["silent"]) == (False, False)
    assert 'href="/rejects?source=nginx">1<' in page
    assert "silent after 10" in page


def test_rejects_of_one_source_are_found_among_many(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "AT_ONCE", 3)
    names = ["shop", "nginx", "nginx", "nginx", "shop", "nginx", "shop"]
    site.front.store([(name, Reject(raw=f"{n}", reason="odd")) for n, name in enumerate(names)])

    seen, after = [], 0
    while after is not None:
        page = plain(site, "/api/v1/rejects", source="shop", limit="2", after=str(after))
        seen += [one["raw"] for one in page["items"]]
        after = page["next"]

    assert seen == ["0", "4", "6"]
    assert told(site, "/rejects", source="shop").text.count('class="t ') == 1
    assert "None of chain was found here" in told(site, "/rejects", source="chain").text


def test_a_look_for_one_source_ends_and_says_where_to_go_on(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "AT_ONCE", 2)
    monkeypatch.setattr(sources, "LOOKED_AT", 4)
    site.front.store([("nginx", Reject(raw=f"{n}", reason="odd")) for n in range(6)])
    site.front.store([("shop", Reject(raw="there", reason="odd"))])

    first = plain(site, "/api/v1/rejects", source="shop")
    second = plain(site, "/api/v1/rejects", source="shop", after=str(first["next"]))

    assert first["items"] == []
    assert [one["raw"] for one in second["items"]] == ["there"]


def test_an_admin_replays_rejects_and_sees_what_became_of_them(site: Site) -> None:
    line = '{"@timestamp": "2026-11-23T08:00:00Z", "event": {"dataset": "shop"}}'
    site.front.store([("shop", Reject(raw=line, reason="no parser took it then"))])
    browser = site.browser("ada")

    first = browser.post("/rejects/replay").text
    second = browser.post("/rejects/replay").text

    assert "Asked again about 2 rejects." in first
    assert "1 became events, 0 had become one before" in first
    assert "0 became events, 1 had become one before" in second
    with site.front.reading() as looking:
        acts = looking.exec(select(AuditRow).where(AuditRow.action == "rejects.replay")).all()
    assert [act.actor for act in acts] == ["user:ada", "user:ada"]


@pytest.mark.parametrize("path", ["/rejects/replay", "/api/v1/rejects/replay"])
def test_who_neither_sends_nor_administers_replays_nothing(still: Site, path: str) -> None:
    answer = still.browser("max").post(path)

    assert answer.status_code == 403
    assert "Replaying needs the role admin." in told(still, "/rejects", "max").text


# ATT&CK


def test_matrix_has_each_technique_under_its_tactics_with_what_fired(site: Site) -> None:
    burst = finding("qf-sybil-burst", seqs=())
    with site.front.writing() as writing:
        record(writing, [burst], {}, NOW, site.front.suite.settings.incidents)

    found = plain(site, "/api/v1/attack")
    tactics = {one["tactic"]: one["techniques"] for one in found["tactics"]}
    (cell,) = [c for c in tactics["resource-development"] if c["technique"] == "T1585"]
    aadapt = {cell["technique"]: cell for cell in found["aadapt"]}

    assert len(found["tactics"]) == 15
    assert cell["standings"] == {"proven": len(cell["rules"])}
    assert (cell["score"], cell["alerts"]) == (100, 1)
    assert aadapt["ADT3001"]["alerts"] == 1
    fired = plain(site, "/api/v1/attack", show="fired")
    assert {c["technique"] for t in fired["tactics"] for c in t["techniques"]} == {"T1585"}
    page = told(site, "/attack").text
    assert page.count('id="T1585"') == 1
    assert 'class="st st-ok"' in page


def test_a_disabled_rule_proves_nothing_on_the_matrix(site: Site) -> None:
    given = {"mode": "disabled", "reason": "loud"}
    site.browser("ada").post("/api/v1/rules/console-bruteforce/mode", json=given)

    found = plain(site, "/api/v1/attack")
    rules = {
        rule["rule"]: rule["standing"]
        for tactic in found["tactics"]
        for cell in tactic["techniques"]
        for rule in cell["rules"]
    }

    assert rules["console-bruteforce"] == "disabled"
    assert "disabled" in told(site, "/attack").text


def test_layer_is_that_of_the_command_line(still: Site) -> None:
    layer = plain(still, "/api/v1/attack/layer")

    assert layer["domain"] == "enterprise-attack"
    assert layer["versions"]["layer"] == "4.5"
    assert {"techniqueID", "score", "comment"} == set(layer["techniques"][0])


# Playbooks


def test_playbooks_say_what_starts_them_and_what_they_did(site: Site) -> None:
    with site.front.writing() as writing:
        writing.add(
            Run(
                dedup="done",
                kind="playbook",
                playbook="qf-hold-by-hand",
                state="failed",
                requested_by="user:rob",
                created=NOW,
            )
        )
    found = {one["playbook"]: one for one in plain(site, "/api/v1/playbooks")["items"]}
    held = found["qf-hold-by-hand"]

    assert held["starts"] == ["by hand: role:responder"]
    assert held["risk"] == {"notify": 1, "contain": 1}
    assert (held["runs"], held["last_run"]["state"]) == ({"failed": 1}, "failed")
    assert found["weekly-review"]["starts"][0].startswith("at ")
    assert "qf-sybil" in " ".join(found["qf-gift-spike"]["answers"])
    page = told(site, "/playbooks").text
    assert "1 failed" in page
    assert "None: every playbook can be used." in page


def test_broken_playbooks_are_named_by_file_and_line(site: Site) -> None:
    path = site.front.suite.home.content("playbooks") / "mine.yml"
    path.write_text("schema: commonwatch.playbook/1\nplaybook: mine\nstepz: []\n")

    found = plain(site, "/api/v1/playbooks")
    page = told(site, "/playbooks").text

    assert {one["path"] for one in found["mistakes"]} == {"content/playbooks/mine.yml"}
    assert "content/playbooks/mine.yml:3" in page
    assert "unknown key &#39;stepz&#39;" in page


def test_a_playbook_page_shows_its_text_and_steps(still: Site) -> None:
    page = unescape(told(still, "/playbooks/qf-hold-by-hand").text)
    whole = plain(still, "/api/v1/playbooks/qf-hold-by-hand")

    assert "playbook: qf-hold-by-hand" in page
    assert [step["step"] for step in whole["steps"]] == ["decide", "quarantine", "note"]
    assert (whole["steps"][1]["risk"], whole["steps"][1]["ttl"]) == ("contain", "7d")
    assert whole["path"] == "playbooks/qf-hold-by-hand.yml"
    assert whole["is_tested"]
    assert told(still, "/playbooks/none").status_code == 404


def test_a_plan_is_shown_and_changes_nothing(still: Site) -> None:
    page = told(still, "/playbooks/qf-sybil-containment", "rob", incident="INC-1").text

    assert "What it would do for INC-1" in page
    assert WALLET in page
    assert "It is started by hand by nobody." in page
    with still.front.reading() as looking:
        assert looking.exec(select(Run).where(Run.playbook == "qf-sybil-containment")).all() == []


@pytest.mark.parametrize(
    ("path", "given", "words"),
    [
        ("qf-sybil-containment", {"incident": ""}, "Qf-sybil-containment answers incidents"),
        ("qf-sybil-containment", {"incident": "INC-99"}, "INC-99"),
        ("qf-sybil-containment", {"incident": EVIL}, "Nothing was started."),
        ("qf-hold-by-hand", {"incident": ""}, "wallets"),
    ],
    ids=["none", "no-such", "strange", "no-input"],
)
def test_a_plan_that_cannot_be_made_says_why(
    still: Site, path: str, given: dict[str, str], words: str
) -> None:
    answer = told(still, f"/playbooks/{path}", **given)

    assert answer.status_code == 422
    assert words in answer.text


def asked(site: Site, person: str = "rob") -> tuple[str, dict[str, str]]:
    """Return the page of a plan by hand, and what its form would send."""
    given = {"incident": "INC-1", "input.wallets": f"{WALLET}\n", "input.why": "a ring of friends"}
    page = told(site, "/playbooks/qf-hold-by-hand", person, **given).text
    hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page)
    return page, {name: unescape(value) for name, value in hidden}


def test_what_was_read_is_started_by_who_may(site: Site) -> None:
    _, form = asked(site)

    answer = site.browser("rob").post("/playbooks/qf-hold-by-hand/run", data=form)

    with site.front.reading() as looking:
        (run,) = looking.exec(select(Run).where(Run.playbook == "qf-hold-by-hand")).all()
        assert (run.requested_by, run.incident, run.mode) == ("user:rob", 1, "live")
        assert json.loads(run.parameters_json)["wallets"] == [WALLET]
        assert answer.headers["Location"] == f"/runs/{run.id}"


def test_another_plan_than_the_one_that_was_read_starts_nothing(site: Site) -> None:
    _, form = asked(site)
    inputs = json.dumps({"wallets": ["0xother"], "why": "somebody else"})

    answer = site.browser("rob").post(
        "/playbooks/qf-hold-by-hand/run", data={**form, "inputs": inputs}
    )

    assert answer.status_code == 422
    assert "The plan is another one by now" in answer.text
    with site.front.reading() as looking:
        assert looking.exec(select(Run).where(Run.playbook == "qf-hold-by-hand")).all() == []


def test_who_may_not_starts_nothing_and_is_told_why(site: Site) -> None:
    page, _ = asked(site, "vera")
    form = {**asked(site)[1], "dry": ""}

    answer = site.browser("ann").post("/playbooks/qf-hold-by-hand/run", data=form)

    assert "Starting needs the role responder or admin." in page
    assert answer.status_code == 403
    with site.front.reading() as looking:
        assert looking.exec(select(Run).where(Run.playbook == "qf-hold-by-hand")).all() == []


def test_a_dry_run_is_for_those_who_may_not_start_it(site: Site) -> None:
    _, form = asked(site, "ada")

    answer = site.browser("ada").post("/playbooks/qf-hold-by-hand/run", data={**form, "dry": "1"})

    assert answer.status_code == 303
    with site.front.reading() as looking:
        (run,) = looking.exec(select(Run).where(Run.playbook == "qf-hold-by-hand")).all()
        assert (run.mode, run.requested_by) == ("dry_run", "user:ada")
        assert looking.exec(select(Effect).where(Effect.run == run.id)).all() == []


# Health


def test_health_names_each_trouble_and_what_to_do(site: Site) -> None:
    with site.front.writing() as writing:
        windows.register(writing, ["sigma", "funding", "gone"])
        windows.fail(writing, "sigma", f"KeyError {EVIL}", NOW)
    site.clock.moment = NOW + timedelta(hours=1)

    found = plain(site, "/api/v1/health")
    troubles = {one["about"]: one for one in found["troubles"]}
    page = told(site, "/health").text

    assert {one["detector"] for one in found["detectors"]} == {"sigma", "funding"}
    assert troubles["detector sigma"]["what"].startswith("KeyError")
    assert "events wait for it" in troubles["detector funding"]["what"]
    assert all(one["remedy"] for one in found["troubles"])
    assert found["store"]["revision"] == found["store"]["newest"]
    assert f"{len(troubles)} troubles with the suite" in page
    assert EVIL not in page


def test_no_worker_is_never_called_well(still: Site) -> None:
    found = plain(still, "/api/v1/health")

    assert "workers" in {one["about"] for one in found["troubles"]}
    assert "no worker has ever run here" in told(still, "/health").text
    assert found["events"]["last_seq"] > 0


# Settings


def test_settings_say_where_they_come_from(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOC_DETECT__EVERY", "5.0")
    groups = {one["group"]: one for one in plain(site, "/api/v1/settings")["items"]}
    keys = {key["key"]: key for group in groups.values() for key in group["keys"]}

    hours = keys["web.session_hours"]
    assert (hours["value"], hours["default"], hours["is_default"]) == (9, 8, False)
    assert (hours["from"], hours["where"]) == ("file", "settings.yml:7")
    assert (keys["detect.every"]["from"], keys["detect.every"]["where"]) == (
        "environment",
        "SOC_DETECT__EVERY",
    )
    assert (keys["logs.seal_after"]["value"], keys["logs.seal_after"]["from"]) == ("5m", "default")
    assert "front door" in groups["web"]["about"]
    assert "settings.yml:7" in told(site, "/settings").text


@pytest.mark.parametrize("path", ["/settings", "/api/v1/settings"])
def test_no_secret_is_ever_shown(still: Site, path: str) -> None:
    text = told(still, path, "max").text

    assert [secret for secret in SECRETS if secret in text] == []
    assert "not set" in text
    assert "&#34;secret&#34;: &#34;set&#34;" in text or '"secret":"set"' in text


def test_a_file_that_was_changed_since_is_told(site: Site) -> None:
    assert plain(site, "/api/v1/settings")["changed"] == []

    site.front.suite.home.settings.write_text(SETTINGS.replace("9", "7"))
    changed = plain(site, "/api/v1/settings")["changed"]
    site.front.suite.home.settings.write_text("webb: {}\n")
    broken = told(site, "/settings").text

    assert changed == ["web was changed since the suite was started"]
    assert "settings.yml:1: unknown setting" in broken


# Threats


def test_threats_are_those_of_the_report(still: Site) -> None:
    found = plain(still, "/api/v1/threats")
    report = document(assessed(still.front.suite, NOW))
    page = unescape(told(still, "/threats").text)

    assert found == json.loads(json.dumps(report))
    assert [risk["id"] for risk in found["risks"] if not risk["watch"]] == [
        *("R1", "R3", "R2", "R4", "R5"),
    ]
    for control in found["controls"]:
        assert control["id"] in page
        assert control["statement"] in page
    assert "none" in page
