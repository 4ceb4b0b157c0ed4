"""A front door on an empty home, spoken to as a client does."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from soc.access import keys
from soc.access.permissions import Role
from soc.app.suite import Suite
from soc.store.session import session
from soc.web.app import build
from soc.web.front import Front
from tests.web.story import Site, opened, user


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site that nobody changes, but for what a test knows of and counts."""
    with opened(tmp_path_factory.mktemp("still") / "home") as site:
        yield site


@pytest.fixture
def front(suite: Suite) -> Iterator[Front]:
    log = suite.log()
    yield Front(suite, log)
    log.close()


@pytest.fixture
def client(front: Front) -> Iterator[TestClient]:
    with TestClient(build(front), raise_server_exceptions=True) as client:
        yield client


@pytest.fixture
def tokens(suite: Suite) -> dict[str, dict[str, str]]:
    """Authorization headers by scope; ``person`` is an approver's and responder's own."""
    now = suite.clock.now()
    with session(suite.database) as writing:
        writing.add(user("rhea", {Role.APPROVER, Role.RESPONDER}))
        made = {
            scope: keys.create_token(writing, scope, scope, None, now)
            for scope in ("ingest", "authz", "read", "triage")
        }
        made["person"] = keys.create_token(writing, "person", "respond", "rhea", now)
    return {name: {"Authorization": f"Bearer {secret}"} for name, secret in made.items()}
