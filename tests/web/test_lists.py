"""Lists by API, console and labels on pages."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import select
from starlette.testclient import TestClient

from soc.access import keys
from soc.access.permissions import Role
from soc.app.suite import Suite
from soc.store.session import session
from soc.store.tables import IndicatorList
from tests.web.story import EVIL, WALLET, Site, opened, user

Headers = dict[str, dict[str, str]]
HEAD = "kind,value,label\n"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with opened(tmp_path / "home") as site:
        with site.front.writing() as writing:
            writing.add(user("ada", {Role.AUTHOR}))
        yield site


@pytest.fixture
def author(suite: Suite) -> dict[str, str]:
    """The Authorization header of somebody who writes rules."""
    with session(suite.database) as writing:
        writing.add(user("ada", {Role.AUTHOR}))
        token = keys.create_token(writing, "ada", "admin", "ada", suite.clock.now())
    return {"Authorization": f"Bearer {token}"}


def test_the_api_imports_shows_and_forgets(
    client: TestClient, tokens: Headers, author: dict[str, str]
) -> None:
    path, about = "/api/v1/lists/bad", {"owner": "role:security", "source": "a partner"}

    def put(body: str, headers: dict[str, str] = author):
        return client.put(path, params=about, content=body, headers=headers)

    refused = put(f"{HEAD}wallet,0x1,\nip,x,\n")
    made = put(f"{HEAD}wallet,{WALLET},mixer\nip,192.0.2.7,\n")
    again = put(f"{HEAD}wallet,{WALLET},mixer\nip,192.0.2.7,\n")

    assert put(HEAD, tokens["triage"]).status_code == 403
    assert refused.status_code == 400
    assert "body:2: value: write 0x" in refused.text
    assert "body:3: value: write an address" in refused.text
    assert (made.json()["added"], again.json()["unchanged"]) == (2, 2)
    whole = client.get(f"{path}?limit=1", headers=tokens["read"]).json()
    assert (whole["entries"], whole["expired"], len(whole["items"])) == (2, 0, 1)
    rest = client.get(path, params={"cursor": whole["next"]}, headers=tokens["read"]).json()
    assert "items" in rest, rest
    values = {one["value"] for one in [*whole["items"], *rest["items"]]}
    assert values == {WALLET, "192.0.2.7"}
    listed = client.get("/api/v1/lists", headers=tokens["read"]).json()["items"]
    assert [(one["name"], one["version"], one["entries"]) for one in listed] == [("bad", 1, 2)]
    gone = client.post(f"{path}/remove", json={"reason": "stale"}, headers=author)
    assert gone.json() == {"removed": "bad"}
    assert client.get(path, headers=tokens["read"]).status_code == 404


def test_the_console_imports_what_is_pasted_and_labels_show(site: Site) -> None:
    browser = site.browser("ada")
    form = {"name": "bad", "source": f"a partner {EVIL}", "text": f"{HEAD}wallet,{WALLET},{EVIL}\n"}

    wrong = browser.post("/lists", data={**form, "text": f"{HEAD}wallet,0x1,\n"})
    named = browser.post("/lists", data={**form, "name": "Bad Name"})
    made = browser.post("/lists", data=form)

    assert (wrong.status_code, named.status_code, made.status_code) == (422, 422, 200)
    assert "write 0x and 40 hexadecimal digits" in wrong.text
    assert "a partner" in wrong.text
    assert "1 added" in made.text
    for path in ("/lists", "/lists/bad", "/incidents/INC-1", "/alerts/1"):
        text = browser.get(path).text
        assert EVIL not in text
        assert "bad" in text
    labels = browser.get("/api/v1/incidents/INC-1").json()["labels"]
    assert labels[f"wallet:{WALLET}"] == [f"bad: {EVIL}"]
    mute = browser.post("/lists/bad/remove", data={"reason": " "})
    gone = browser.post("/lists/bad/remove", data={"reason": "stale"})
    assert (mute.status_code, gone.status_code) == (422, 303)
    assert "No list is imported yet" in browser.get("/lists").text


def test_who_may_not_imports_nothing(site: Site) -> None:
    browser = site.browser("ann")

    assert browser.post("/lists", data={"name": "bad", "text": "x"}).status_code == 403
    assert browser.post("/lists/bad/remove", data={"reason": "x"}).status_code == 403
    assert "Importing needs the role" in browser.get("/lists").text
    with site.front.reading() as looking:
        assert looking.exec(select(IndicatorList)).all() == []
