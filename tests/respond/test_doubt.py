"""What becomes of a step when nobody knows whether it happened, and what people can do about it."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import Session, col, select

from soc.access.permissions import Permission
from soc.clock import SettableClock
from soc.errors import AccessDenied, Illegal, NotFound
from soc.respond import mending
from soc.store.session import Database, session
from soc.store.tables import AuditRow, Effect
from tests.respond.stage import Stage, limit, person, playbook, touch

INES = person("ines")


@pytest.fixture
def stage(database: Database, clock: SettableClock, tmp_path: Path) -> Stage:
    return Stage(database, clock, tmp_path)


class Gone(BaseException):
    """The process is gone while an action is under way."""


def die_under_way(stage: Stage, monkeypatch: pytest.MonkeyPatch, *, acted: bool) -> None:
    """Let a worker die after it wrote what it would do; *acted*: it also did it."""
    from soc.respond import engine as engines

    class Dying(engines.Flights):
        def landed(self, patience: timedelta) -> object:  # type: ignore[override]
            if acted:
                super().landed(patience)
            raise Gone

        def launch(self, actions: object) -> None:
            if acted:
                super().launch(actions)  # type: ignore[arg-type]
            elif actions:
                self._ends["gone"] = 0.0  # type: ignore[assignment]

    with monkeypatch.context() as patched:
        patched.setattr(engines, "Flights", Dying)
        with pytest.raises(Gone):
            stage.work()
    stage.overdue()


def step(action: str, stage: Stage) -> dict[str, object]:
    return {"id": "a", "use": action, "with": {"file": str(stage.file), "word": "a"}}


@pytest.mark.parametrize("acted", [True, False], ids=["it happened", "it did not"])
@pytest.mark.parametrize(
    ("action", "state", "times"),
    [("test.touch", "done", 2), ("test.look", "done", 1), ("test.once", "needs_human", 1)],
    ids=["key: again under its key", "check: looked for first", "never: a person decides"],
)
def test_what_was_begun_and_never_ended_goes_on_as_the_action_says(
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
    action: str,
    state: str,
    times: int,
    acted: bool,
) -> None:
    stage.queue(playbook([step(action, stage)]))
    die_under_way(stage, monkeypatch, acted=acted)

    stage.work()

    assert stage.of(1).state == state
    repeated = action != "test.once"
    expected = times if acted else int(repeated)
    assert len(stage.left()) == expected
    keys = (
        {line.rpartition(" ")[2] for line in stage.file.read_text().splitlines()}
        if expected
        else set()
    )
    assert len(keys) <= 1


@pytest.mark.parametrize(("happened", "lines"), [(True, 0), (False, 1)])
def test_a_person_settles_what_nobody_knows(
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
    happened: bool,
    lines: int,
) -> None:
    stage.queue(playbook([step("test.once", stage), limit("after")]))
    die_under_way(stage, monkeypatch, acted=False)
    stage.work()
    assert stage.states() == {"a": "unknown"}

    with session(stage.database) as writing:
        now = stage.clock.now()
        mending.resolve(writing, 1, "a", INES, "asked them", now, happened=happened)
    stage.work()

    assert (stage.of(1).state, len(stage.left())) == ("done", lines)
    assert stage.effects() == {"EF-1-after": "active"}
    with Session(stage.database) as reading:
        acts = set(reading.exec(select(AuditRow.action).where(col(AuditRow.actor) == "user:ines")))
    assert acts == {"run.resolve" if happened else "run.retry-step"}


def test_a_step_is_tried_again_by_hand_inside_all_that_holds_it(stage: Stage) -> None:
    stage.fail(a=1)
    inner = {"id": "inner", "parallel": [[touch("a", stage)], [touch("b", stage)]]}
    number = stage.queue(playbook([{"id": "outer", "do": [inner]}, touch("c", stage)]))
    stage.work()
    assert stage.of(number).state == "failed"

    with session(stage.database) as writing:
        mending.retry_step(writing, number, "a", INES, "it is back", stage.clock.now())
    stage.work()

    assert (stage.of(number).state, stage.left()) == ("done", ["run b", "run a", "run c"])


def test_one_item_of_a_loop_is_skipped_by_hand(stage: Stage) -> None:
    stage.fail(x1=1)
    given = {"file": str(stage.file), "word": "x${{ item }}"}
    each = {"id": "each", "use": "test.touch", "for_each": "${{ inputs.n }}", "with": given}
    book = playbook([each], inputs={"n": {"type": "list", "default": [0, 1, 2]}})
    stage.queue(book)
    stage.work()
    assert stage.states()["each[1]"] == "failed"

    with session(stage.database) as writing:
        mending.skip_step(writing, 1, "each[1]", INES, "no longer there", stage.clock.now())
    stage.work()

    assert (stage.of(1).state, sorted(stage.left())) == ("done", ["run x0", "run x2"])
    assert stage.output("each")[1]["by"] == "user:ines"


def test_a_question_is_asked_anew_when_its_step_is_tried_again(stage: Stage) -> None:
    ask = {
        "id": "ask",
        "approval": {
            "ask": "?",
            "approvers": ["role:approver"],
            "expires": "1h",
            "on_timeout": "fail",
        },
    }
    stage.queue(playbook([ask]))
    stage.play()
    assert (stage.of(1).state, stage.states()) == ("failed", {"ask": "failed"})

    with session(stage.database) as writing:
        mending.retry_step(writing, 1, "ask", INES, "they are back", stage.clock.now())
    stage.work()
    stage.answer("rhea")
    stage.work()

    assert (stage.of(1).state, stage.output("ask")["by"]) == ("done", ["rhea"])


REFUSED = {
    "a run that is not there": (9, "a", INES, "why", NotFound),
    "a run that is done": (1, "a", INES, "why", Illegal),
    "without a reason": (1, "a", INES, " ", Illegal),
    "without permission": (1, "a", person("v", permissions=frozenset({Permission.READ})), "why", AccessDenied),
}  # fmt: skip


@pytest.mark.parametrize(("run", "path", "who", "why", "error"), REFUSED.values(), ids=REFUSED)
def test_what_is_over_stays_over(
    stage: Stage, run: int, path: str, who: object, why: str, error: type[Exception]
) -> None:
    stage.run([touch("a", stage)])

    with pytest.raises(error), session(stage.database) as writing:
        mending.retry_step(writing, run, path, who, why, stage.clock.now())  # type: ignore[arg-type]

    assert stage.of(1).state == "done"


def queued(stage: Stage) -> None:
    stage.queue(playbook([limit("a")]))


def waiting(stage: Stage) -> None:
    stage.queue(playbook([limit("a"), {"id": "rest", "wait": "1h"}]))
    stage.work()


def asking(stage: Stage) -> None:
    ask = {"id": "ask", "approval": {"ask": "?", "approvers": ["role:approver"]}}
    stage.queue(playbook([limit("a"), ask]))
    stage.work()


def claimed(stage: Stage) -> None:
    stage.queue(playbook([limit("a"), touch("b", stage)]))
    assert stage.engine().claim()


@pytest.mark.parametrize("before", [queued, waiting, asking, claimed])
@pytest.mark.parametrize("undo", [True, False], ids=["with undo", "as it is"])
def test_a_run_is_cancelled_whatever_it_does(
    stage: Stage,
    before: object,
    undo: bool,
) -> None:
    before(stage)  # type: ignore[operator]
    held = [name for name, state in stage.effects().items() if state == "active"]

    with session(stage.database) as writing:
        mending.cancel(writing, 1, INES, "enough", stage.clock.now(), undo=undo)
    stage.play(days=0)

    assert stage.of(1).state == "cancelled"
    with Session(stage.database) as reading:
        states = set(reading.exec(select(Effect.state).where(col(Effect.id).in_(held))))
    assert states == (set() if not held else {"lifted"} if undo else {"active"})


def test_a_worker_whose_run_was_cancelled_writes_nothing_more(stage: Stage) -> None:
    stage.queue(playbook([limit("a")]))
    engine = stage.engine()
    claim = engine.claim()
    assert claim
    with session(stage.database) as writing:
        mending.cancel(writing, 1, INES, "enough", stage.clock.now(), undo=False)

    with pytest.raises(Exception, match="Another worker"):
        engine.carry(claim)

    assert (stage.of(1).state, stage.effects()) == ("cancelled", {})


def test_a_cancelled_run_is_over(stage: Stage) -> None:
    stage.run([touch("a", stage)])

    with pytest.raises(Illegal, match="done already"), session(stage.database) as writing:
        mending.cancel(writing, 1, INES, "enough", stage.clock.now(), undo=False)
