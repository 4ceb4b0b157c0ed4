"""A cluster with TLS and log-in: the right words open it, wrong ones are told and never shown."""

import logging
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from soc.errors import LogError
from tests.servers import stores
from tests.servers.opensearch import Node
from tests.servers.stores import documents, event, opened, put, scanned
from tests.web.serving import authority

pytestmark = [
    pytest.mark.server,
    pytest.mark.xdist_group("opensearch"),
    pytest.mark.timeout(240),
]
WRONG = "not-the-password-7d1f"


def login(node: Node, password: str = "", **more: Any) -> stores.OpenSearch:
    given = {
        "user": "admin",
        "password": SecretStr(password or node.password),
        "ca": node.authority,
    }
    return stores.settings(node, **{**given, **more})


def test_the_right_user_and_authority_open_it(guarded: Node, tmp_path: Path) -> None:
    with opened(tmp_path, login(guarded)) as log:
        put(log, event(1), event(2))
        log.seal()

        assert scanned(log) == [1, 2]
        assert documents(guarded, "/soc-default-*") == 2


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"password": WRONG}, "refuses user 'admin': write opensearch.user and .password"),
        ({"user": "", "password": WRONG}, "refuses user ''"),
        ({"ca": Path("other")}, "a certificate that is not trusted: write its CA as opensearch.ca"),
        ({"ca": None}, "a certificate that is not trusted: write its CA as opensearch.ca"),
        ({"ca": Path("none.pem")}, "opensearch.ca: there is no file none.pem"),
    ],
    ids=["password", "nobody", "other authority", "no authority", "no file"],
)
def test_what_is_wrong_is_told_without_the_password(
    guarded: Node,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    wrong: dict[str, Any],
    said: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    if wrong.get("ca") == Path("other"):
        wrong = {"ca": authority(tmp_path).path}
    password = wrong.get("password", guarded.password)
    remote = login(guarded, password, **{k: v for k, v in wrong.items() if k != "password"})
    told: list[str] = []

    with pytest.raises(LogError, match=said) as refused:
        use(tmp_path / "events", remote, told)

    shown = "\n".join([str(refused.value), repr(refused.value), *told, caplog.text, repr(remote)])
    assert password not in shown


def use(folder: Path, remote: stores.OpenSearch, told: list[str]) -> None:
    with opened(folder, remote) as log:
        put(log, event(1))
        assert log.scan(0, 10).column("seq") == [1]
        log._journal._tail.rotate()
        log._journal._seal_safely()
        told.append(log.problem)
        assert log.problem
        log.seal()
