"""Routes are worked out when they are first asked, and each of them can be."""

from starlette.testclient import TestClient

from soc.web.app import build
from soc.web.front import Front
from soc.web.late import LateRoute


def test_only_what_is_asked_is_worked_out(front: Front) -> None:
    app = build(front)

    TestClient(app).get("/login")

    late = [one for one in app.routes if isinstance(one, LateRoute)]
    known = [(one.path, *one.methods) for one in late if "dependant" in vars(one)]
    assert known == [("/login", "GET")]
    assert len(late) > 100


def test_every_route_can_be_worked_out_and_is_as_it_was_before(front: Front) -> None:
    late = [one for one in build(front).routes if isinstance(one, LateRoute)]
    names = ("path", "methods", "name", "path_regex", "include_in_schema")
    before = [[getattr(one, name) for name in names] for one in late]

    worked_out = [one.dependant.call for one in late]

    assert worked_out == [one.endpoint for one in late]
    assert [[getattr(one, name) for name in names] for one in late] == before
    assert not hasattr(late[0], "nothing")


def test_a_method_that_is_not_served_is_refused(front: Front) -> None:
    answer = TestClient(build(front)).request("HEAD", "/api/v1/hunt")

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
