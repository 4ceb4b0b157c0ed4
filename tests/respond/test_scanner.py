"""A secret reaches whom it is for and stands nowhere else: not in a row, a file, a page, an error."""

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import inspect, text

from soc.clock import SettableClock
from soc.errors import ExpressionError
from soc.respond.expression import render
from soc.respond.outward import Outward
from soc.respond.secrets import Secret
from soc.store.session import Database, reading
from soc.store.tables import Run
from soc.web import views
from tests.respond.stage import Stage, playbook
from tests.servers.receiver import Receiver

VALUE = "s3cr3t/+value with spaces"
FORMS = {
    VALUE,
    quote(VALUE),
    quote(VALUE, safe=""),
    VALUE.encode().hex(),
    base64.b64encode(VALUE.encode()).decode(),
    json.dumps(VALUE)[1:-1],
}
HEADER = {"Authorization": "Bearer ${{ secrets.TOKEN }}"}


def secret(name: str) -> Secret:
    return Secret(name, lambda: VALUE)


def steps(receiver: Receiver) -> list[dict[str, Any]]:
    given = {"method": "POST", "headers": HEADER, "keep": {"echo": "echo"}}
    call = {"use": "http.request", "no_undo": "it only tells"}
    good = {**call, "id": "good", "with": {**given, "url": receiver.at("/good")}}
    bad = {**call, "id": "bad", "with": {**given, "url": receiver.at("/bad")}}
    return [good, {**bad, "on_failure": "continue"}, {**bad, "id": "worse"}]


def everything(database: Database, folder: Path) -> str:
    """Return all that is kept: every row of every table, every file, and what the API shows."""
    found = []
    with database.connect() as connection:
        for table in inspect(database).get_table_names():
            found += map(repr, connection.execute(text(f'SELECT * FROM "{table}"')).all())
    found += [path.read_text(errors="replace") for path in folder.rglob("*.json")]
    with reading(database) as looking:
        found.append(json.dumps(views.run_whole(looking, looking.get_one(Run, 1)), default=str))
    return "\n".join(found)


def test_a_secret_is_nowhere_but_where_it_was_sent(
    database: Database,
    clock: SettableClock,
    tmp_path: Path,
    receiver: Receiver,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    echo = {"echo": {"you": f"Bearer {VALUE}", VALUE: quote(VALUE)}}
    receiver.answers["/good"] = (200, {}, json.dumps(echo).encode())
    receiver.answers["/bad"] = (500, {"X-Echo": VALUE}, VALUE.encode())
    stage = Stage(database, clock, tmp_path)
    stage.queue(playbook(steps(receiver), secrets=["TOKEN"]))
    engine = stage.engine(http=Outward([f"127.0.0.1:{receiver.port}"]), secret=secret)

    while engine.work():
        pass

    assert stage.states() == {"good": "done", "bad": "failed", "worse": "failed"}
    assert receiver.taken[0].headers["authorization"] == f"Bearer {VALUE}"
    said = everything(database, tmp_path) + caplog.text + "".join(capsys.readouterr())
    assert "<secret TOKEN>" in said
    assert [form for form in FORMS if form in said] == []


@pytest.mark.parametrize(
    "attempt",
    [
        "secrets.TOKEN | upper",
        "secrets.TOKEN ~ 'x'",
        "secrets['TOKEN']",
        "[secrets.TOKEN]",
        "secrets",
    ],
)
def test_nothing_else_touches_a_secret(attempt: str) -> None:
    with pytest.raises(ExpressionError, match="stands alone"):
        render(f"${{{{ {attempt} }}}}", {"secrets": secret})
