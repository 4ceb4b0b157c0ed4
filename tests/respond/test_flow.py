"""The six kinds of steps, and what follows when one fails."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from soc.clock import SettableClock
from soc.incidents import lifecycle
from soc.incidents.record import record
from soc.model.finding import Finding
from soc.respond.mending import cancel, children_of
from soc.store.session import Database, session
from soc.triage import Incidents
from tests.respond.stage import Stage, limit, person, playbook, touch


@pytest.fixture
def stage(database: Database, clock: SettableClock, tmp_path: Path) -> Stage:
    return Stage(database, clock, tmp_path)


def test_branches_all_end_before_the_step_does(stage: Stage) -> None:
    branches = [[touch("a1", stage), touch("a2", stage)], [touch("b1", stage)]]

    run = stage.run([{"id": "both", "parallel": branches}, touch("after", stage)])

    assert run.state == "done"
    assert sorted(stage.left()[:3]) == ["run a1", "run a2", "run b1"]
    assert stage.left()[3] == "run after"


def test_a_branch_that_fails_does_not_stop_the_others(stage: Stage) -> None:
    stage.fail(a1=1)
    branches = [[touch("a1", stage), touch("a2", stage)], [touch("b1", stage), touch("b2", stage)]]

    run = stage.run([{"id": "both", "parallel": branches}, touch("after", stage)])

    assert (run.state, "a1 cannot be reached" in (run.reason or "")) == ("failed", True)
    assert stage.left() == ["run b1", "run b2"]


def test_a_slow_branch_holds_the_others_up_only_at_the_end(stage: Stage) -> None:
    waiting = [{"id": "rest", "wait": "1h"}, touch("late", stage)]

    number = stage.queue(
        playbook([{"id": "both", "parallel": [waiting, [touch("b", stage), touch("c", stage)]]}])
    )
    stage.work()

    assert (stage.left(), stage.of(number).state) == (["run b", "run c"], "waiting")
    stage.play()
    assert stage.left() == ["run b", "run c", "run late"]


def test_an_approval_beside_a_branch_that_works_waits_alone(stage: Stage) -> None:
    ask = {"id": "ask", "approval": {"ask": "Go on?", "approvers": ["role:approver"]}}
    steps = [
        {"id": "both", "parallel": [[ask, touch("a", stage)], [touch("b", stage)]]},
        touch("after", stage),
    ]
    stage.queue(playbook(steps))
    stage.work()
    assert stage.left() == ["run b"]

    stage.answer("rhea")
    stage.work()

    assert stage.left() == ["run b", "run a", "run after"]


def test_steps_that_follow_a_failure_let_the_run_go_on(stage: Stage) -> None:
    stage.fail(first=1)
    group = {
        "id": "group",
        "do": [touch("first", stage), touch("second", stage)],
        "on_failure": [touch("rescue", stage)],
    }

    run = stage.run([group, touch("after", stage)])

    assert run.state == "done"
    assert stage.left() == ["run rescue", "run after"]
    assert stage.output("group")["failed"] is True


def test_a_rescue_that_fails_fails_the_run(stage: Stage) -> None:
    stage.fail(first=1, rescue=1)
    first = touch("first", stage, on_failure=[touch("rescue", stage)])

    run = stage.run([first, touch("after", stage)])

    assert (run.state, stage.left()) == ("failed", [])


def test_the_playbooks_own_last_words_are_said_and_it_fails(stage: Stage) -> None:
    stage.fail(first=1)
    last = touch("last", stage)
    last["with"] = {"file": str(stage.file), "word": "${{ run.failed_step }} broke"}

    run = stage.run([touch("first", stage)], head={"on_failure": [last]})

    assert (run.state, stage.left()) == ("failed", ["run first broke"])


def test_a_false_condition_skips_a_whole_group(stage: Stage) -> None:
    group = {"id": "group", "when": "${{ incident.severity == 'low' }}", "do": [touch("a", stage)]}

    run = stage.run([group])

    assert (run.state, stage.left()) == ("done", [])
    assert stage.states() == {"group": "skipped", "a": "skipped"}


def test_what_was_skipped_with_its_group_can_be_read_of(stage: Stage) -> None:
    ask = {"id": "ask", "approval": {"ask": "?", "approvers": ["role:approver"]}}
    group = {"id": "group", "when": "${{ incident.severity == 'low' }}", "do": [ask]}
    told = touch("told", stage)
    told["with"] = {"file": str(stage.file), "word": "${{ steps.ask.state | default('nobody') }}"}

    run = stage.run([group, told])

    assert (run.state, stage.left()) == ("done", ["run nobody"])


def test_what_says_neither_true_nor_false_fails_the_step(stage: Stage) -> None:
    run = stage.run([touch("a", stage, when="${{ incident.severity }}")])

    assert (run.state, "must give true or false" in (run.reason or "")) == ("failed", True)


def test_undo_goes_backwards_and_each_once(stage: Stage) -> None:
    stage.fail(breaks=1)
    group = {
        "id": "group",
        "do": [limit("one", "0xa"), limit("two", "0xb"), touch("breaks", stage)],
        "on_failure": "undo",
    }

    run = stage.run([group])

    assert run.state == "failed"
    assert stage.effects() == {"EF-1-one": "lifted", "EF-1-two": "lifted"}
    (undo,) = [one for one in stage.runs() if one.kind == "undo"]
    assert list(stage.states(undo.id or 0)) == ["EF-1-two", "EF-1-one"]


def test_what_cannot_undo_itself_is_taken_back_by_the_action_that_says_how(stage: Stage) -> None:
    back = {"file": str(stage.file), "word": "back ${{ steps.out.word }}"}
    out = {
        "id": "out",
        "use": "test.break",
        "with": {"file": str(stage.file), "word": "suspend"},
        "ttl": "12h",
        "undo": {"use": "test.touch", "with": back},
    }

    run = stage.run([out])
    assert (run.state, stage.effects()) == ("done", {"EF-1-out": "active"})
    stage.clock.moment += timedelta(hours=12)
    stage.engine().end_due()
    stage.engine().end_due()
    stage.work()

    assert stage.left() == ["run suspend", "run back suspend"]
    assert stage.effects() == {"EF-1-out": "lifted"}


def test_an_undo_that_fails_is_tried_again(stage: Stage) -> None:
    out = {
        "id": "out",
        "use": "test.break",
        "with": {"file": str(stage.file), "word": "suspend"},
        "ttl": "12h",
        "undo": {"use": "test.touch", "with": {"file": str(stage.file), "word": "back"}},
    }
    stage.run([out])
    stage.fail(back=2)
    stage.clock.moment += timedelta(hours=12)
    stage.engine().end_due()

    stage.play()

    assert stage.left() == ["run suspend", "run back"]
    assert stage.effects() == {"EF-1-out": "lifted"}


def test_a_wait_ends_early_when_what_it_waits_for_comes(
    stage: Stage, finding: Callable[..., Finding]
) -> None:
    with session(stage.database) as writing:
        record(writing, [finding()], {}, stage.clock.now(), Incidents())
    rest = {"id": "rest", "wait": "12h", "until": "${{ incident.state == 'in_progress' }}"}
    number = stage.queue(playbook([rest]), number=1)
    stage.work()
    assert stage.of(number).state == "waiting"
    with session(stage.database) as writing:
        state = lifecycle.IncidentState.IN_PROGRESS
        lifecycle.move(writing, 1, state, "user:ines", stage.clock.now())
    stage.clock.moment += timedelta(minutes=1)

    stage.work()

    assert (stage.of(number).state, stage.output("rest", number)) == ("done", {"came": True})


def test_another_playbook_is_a_run_of_its_own_and_gives_its_outputs(stage: Stage) -> None:
    inner = playbook(
        [touch("inner", stage)],
        playbook="inner",
        inputs={"who": {"type": "string", "required": True}},
        outputs={"word": "${{ steps.inner.word }} for ${{ inputs.who }}"},
    )
    stage.known["inner"] = inner

    run = stage.run([{"id": "review", "playbook": "inner", "with": {"who": "x"}}])

    assert run.state == "done"
    assert stage.output("review") == {"word": "inner for x"}
    assert [one.parent for one in stage.runs()] == [None, 1]


def test_a_playbook_that_fails_inside_another_fails_its_step(stage: Stage) -> None:
    stage.fail(inner=1)
    stage.known["inner"] = playbook([touch("inner", stage)], playbook="inner")
    step = {"id": "review", "playbook": "inner", "on_failure": "continue"}

    run = stage.run([step, touch("after", stage)])

    assert (run.state, stage.left()) == ("done", ["run after"])
    assert "RUN-2 is failed" in stage.output("review")["error"]


def test_a_playbook_that_runs_itself_comes_to_an_end(stage: Stage) -> None:
    book = playbook([{"id": "again", "playbook": "test"}])
    stage.queue(book)

    stage.play()

    assert [run.state for run in stage.runs()] == ["failed"] * 5


def test_whoever_cancels_a_run_can_cancel_what_it_started(stage: Stage) -> None:
    stage.known["inner"] = playbook([{"id": "rest", "wait": "2h"}], playbook="inner")
    stage.queue(playbook([{"id": "review", "playbook": "inner"}]))
    stage.work()

    with session(stage.database) as writing:
        children = children_of(writing, 1)
    for number in [1, *children]:
        with session(stage.database) as writing:
            cancel(writing, number, person("ines"), "enough", stage.clock.now(), undo=False)
    stage.play()

    assert [run.state for run in stage.runs()] == ["cancelled", "cancelled"]


def test_a_group_that_takes_too_long_fails_and_withdraws_its_question(stage: Stage) -> None:
    ask = {"id": "ask", "approval": {"ask": "?", "approvers": ["role:approver"], "expires": "9h"}}
    group = {"id": "group", "timeout": "1h", "do": [ask], "on_failure": [touch("rescue", stage)]}

    run = stage.run([group])

    assert (run.state, stage.left()) == ("done", ["run rescue"])
    assert (stage.output("group")["kind"], stage.states()["ask"]) == ("timeout", "skipped")


def test_a_run_that_takes_longer_than_its_playbook_allows_fails(stage: Stage) -> None:
    rest = {"id": "rest", "wait": "9h"}

    run = stage.run([rest], head={"timeout": "1h", "on_failure": [touch("last", stage)]})

    assert (run.state, run.reason, stage.left()) == (
        "failed",
        "the run took too long",
        ["run last"],
    )


def test_a_failing_action_is_tried_again_for_the_failures_that_are_worth_it(stage: Stage) -> None:
    stage.fail(a=2, b=1)
    patient = touch("a", stage, retry={"attempts": 3, "delay": "1m"})
    picky = touch("b", stage, retry={"attempts": 3, "on": ["timeout"]})

    run = stage.run([patient, picky])

    assert (run.state, stage.left()) == ("failed", ["run a"])
    assert stage.clock.now() - run.created == timedelta(minutes=3)


def test_items_of_a_loop_fail_and_are_retried_one_by_one(stage: Stage) -> None:
    stage.fail(x1=1)
    given = {"file": str(stage.file), "word": "x${{ item }}"}
    step = {
        "id": "each",
        "use": "test.touch",
        "for_each": "${{ inputs.numbers }}",
        "with": given,
        "retry": {"attempts": 2},
    }
    inputs = {"numbers": {"type": "list", "default": [0, 1, 2]}}

    run = stage.run([step], head={"inputs": inputs})

    assert run.state == "done"
    assert sorted(stage.left()) == ["run x0", "run x1", "run x2"]
    assert stage.output("each") == [{"word": "x0"}, {"word": "x1"}, {"word": "x2"}]


def test_two_hundred_local_items_commit_in_a_few_transactions(stage: Stage) -> None:
    step = limit("each", "${{ item }}", for_each="${{ incident.wallets }}")

    run = stage.run([step], incident={"wallets": [f"0x{n}" for n in range(200)]})

    assert run.state == "done"
    assert len(stage.effects()) == 200


def test_a_dry_run_enters_no_action_and_says_what_it_would_have_done(stage: Stage) -> None:
    ask = {"id": "ask", "approval": {"ask": "Go on?", "approvers": ["role:approver"]}}
    steps = [
        limit("hold"),
        touch("a", stage),
        {"id": "rest", "wait": "9h"},
        ask,
        limit("more", "0xb", when="${{ steps.ask.approved }}"),
        touch("told", stage, when="${{ steps.a.missing == 1 }}"),
    ]

    stage.queue(playbook(steps), mode="dry_run")
    stage.work()

    assert (stage.of(1).state, stage.left(), stage.effects()) == ("done", [], {})
    assert stage.states()["more"] == "done"
    assert "missing" in stage.output("told")["unknown"]
