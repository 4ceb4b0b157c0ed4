"""Experiments: drawn evenly and for ever, exposed once, looked at as planned, and refused aloud."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from sqlmodel import select
from typer.testing import CliRunner

from soc.app import experiments
from soc.app.suite import Suite
from soc.app.taking import take
from soc.cli.main import app
from soc.errors import Illegal, NotFound, Refused, Unfit
from soc.intelligence.experiments import assign, book
from soc.intelligence.experiments.analyse import Money, analyse, guard
from soc.intelligence.experiments.assign import Exposed, Exposure
from soc.intelligence.experiments.design import Design, arms_of, designed, looks_of, planned_units
from soc.intelligence.experiments.looks import Due, Look, due
from soc.intelligence.view.keep import View
from soc.model.value import rfc3339
from soc.store.session import Database, reading, session
from soc.store.tables import AuditRow
from tests.conftest import NOON
from tests.intelligence.gifts import MINED, Told, view, wallet

ARMS = {"default": 1, "recommended": 1}
DESIGN = Design(
    name="page",
    title="Does it help?",
    owner="role:funding",
    arms=ARMS,
    metric="conversion",
    units=800,
)
WALLETS = [wallet(number) for number in range(1, 20_001)]
Soc = Callable[..., Any]


def drawn(arms: dict[str, int], salt: str = "s", units: Sequence[str] = WALLETS) -> list[str]:
    return [assign.arm_of("page", salt, unit, arms) for unit in units]


def seen(units: dict[str, str], arms: dict[str, int] = ARMS) -> Exposed:
    """Return what exposures of *units* to their arms come to, all at NOON."""
    exposures = [Exposure(unit, arm, NOON) for unit, arm in units.items()]
    return assign.exposed(exposures, arms, units.__getitem__)


@pytest.mark.parametrize("arms", [ARMS, {"a": 1, "b": 2, "c": 7}], ids=["even", "uneven"])
def test_arms_are_drawn_as_their_weights_say_and_stay(arms: dict[str, int]) -> None:
    found = drawn(arms)
    other = drawn(arms, salt="another")

    p = assign.ratio_p(Counter(dict.fromkeys(arms, 0) | Counter(found)), arms)
    assert p is not None
    assert p > 0.001
    assert drawn(arms) == found
    alike = np.mean([a == b for a, b in zip(found, other, strict=True)])
    total = sum(arms.values())
    assert alike == pytest.approx(sum((each / total) ** 2 for each in arms.values()), abs=0.015)


def test_a_share_that_is_not_what_was_planned_is_found_and_chance_is_not() -> None:
    assert seen(dict(zip(WALLETS, drawn(ARMS), strict=True))).is_mismatched is False
    lost = [("default", n < 4_700) for n in range(10_000)]
    units = {WALLETS[n]: "default" if first else "recommended" for n, (_, first) in enumerate(lost)}
    found = seen(units)
    assert found.is_mismatched
    with pytest.raises(Unfit, match=r"sample ratio mismatch, stop: default 4700, recommended 5300"):
        guard(DESIGN, found, view([]).transactions, Money())


def test_a_unit_counts_once_and_not_at_all_if_it_saw_another_arm() -> None:
    at = [NOON + timedelta(seconds=n) for n in range(3)]
    shown = [
        Exposure("a", "default", at[1]),
        Exposure("a", "default", at[0]),
        Exposure("b", "recommended", at[1]),
        Exposure("b", "default", at[2]),
        Exposure("c", "none", at[0]),
    ]

    found = assign.exposed(shown, ARMS, lambda unit: "default")

    assert {unit: one.at for unit, one in found.first.items()} == {"a": at[0]}
    assert (found.counts, found.mixed) == ({"default": 1, "recommended": 0}, 2)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "Page"}, "name: write lower-case"),
        ({"title": " "}, "title: say in one line"),
        ({"owner": ""}, "owner: say who decides"),
        ({"arms": {"a": 1}}, "arms: name 2 to 10"),
        ({"arms": {"a": 1, "b": 0}}, "arms: name 2 to 10, the control first"),
        ({"looks": (0.5,)}, "looks: write at most 20 rising fractions that end with 1"),
        ({"looks": (0.5, 0.2, 1.0)}, "looks: write at most 20 rising"),
        ({"metric": "joy"}, "no metric joy: known are conversion"),
        ({"guardrails": ("conversion",)}, "guardrail: the metric that decides is none"),
        ({"units": 3}, "units: plan some"),
        ({"alpha": 1.0}, "alpha: write"),
    ],
)
def test_a_plan_that_cannot_be_run_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused, match=said):
        designed(replace(DESIGN, **change))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        pytest.param(lambda: arms_of(["a=x"]), "--arm a=x: arms", id="weight"),
        pytest.param(lambda: arms_of(["a", "a=2"]), "--arm a=2: arms", id="twice"),
        pytest.param(lambda: looks_of("half"), "--looks half: looks", id="looks"),
        pytest.param(lambda: assign.unit_of("0x12"), "unit: write a wallet", id="unit"),
        pytest.param(
            lambda: planned_units("gifts", ARMS, 0.1, 0.1, None, 0.05, 0.8),
            "units: say how many you plan",
            id="units",
        ),
    ],
)
def test_words_that_say_nothing_are_refused(wrong: Callable[[], object], said: str) -> None:
    with pytest.raises(Refused, match=said):
        wrong()


def test_units_are_planned_for_the_lightest_arm() -> None:
    even = planned_units("conversion", ARMS, 0.05, 0.03, None, 0.05, 0.8)
    uneven = planned_units("conversion", {"a": 3, "b": 1}, 0.05, 0.03, None, 0.05, 0.8)

    assert (even, uneven) == (2 * 1_047, 4 * 1_047)
    assert planned_units("gifts", ARMS, None, None, 70, 0.05, 0.8) == 70


LOOKS = (0.5, 1.0)
HALF = Look(0.5, {"recommended": 1.0})


@pytest.mark.parametrize(
    ("fraction", "taken", "options", "said"),
    [
        (
            0.3,
            [],
            {},
            "no look is due: 30.0% of the planned units are there, the next look is at 50%",
        ),
        (0.5, [HALF], {"spend": True}, "nobody was exposed since the look at 50%"),
        (0.7, [HALF], {}, "the next look is at 100%"),
        (1.4, [Look(1.1, {})], {"spend": True}, "the last look was taken"),
        (0.9, [Look(0.6, {}, ends=True)], {}, "the last look was taken"),
    ],
    ids=["early", "nothing new", "between", "after the last", "after the end"],
)
def test_a_look_that_nobody_planned_is_refused(fraction, taken, options, said: str) -> None:
    with pytest.raises(Illegal, match=said):
        due(fraction, LOOKS, taken, **options)


def test_looks_are_due_when_planned_or_paid_for() -> None:
    assert due(0.52, LOOKS, []) == Due(0.52, (), planned=True)
    assert due(0.3, LOOKS, [], spend=True) == Due(0.3, (), planned=False)
    assert due(0.7, LOOKS, [HALF], ends=True).is_last
    assert due(1.2, LOOKS, [HALF]).is_last


def gifts(rate: dict[str, float], size: dict[str, float], units: int = 600) -> tuple[View, Exposed]:
    """Return what *units* in each arm gave after NOON. rate: who gave; size: their mean gift."""
    rng = np.random.default_rng(11)
    told, arms, number = [], {}, 0
    for n in range(1, len(rate) * units + 1):
        arm = list(rate)[n % len(rate)]
        arms[wallet(n)] = arm
        for _ in range(rng.integers(1, 4) if rng.random() < rate[arm] else 0):
            number += 1
            amount = str(max(1, int(rng.exponential(size[arm]))))
            told.append(Told(f"0x{number:x}", MINED, at=30.0, wallet=n, amount=amount, late=5))
    told.append(Told("0xaa", MINED, at=-60.0, wallet=1, amount="9999999"))
    return view(told), seen(arms, dict.fromkeys(rate, 1))


def test_a_look_tells_which_arm_is_better_for_all_arms_together() -> None:
    arms = {"default": 0.2, "recommended": 0.35, "same-cluster": 0.2}
    made, shown = gifts(arms, dict.fromkeys(arms, 100.0))
    design = replace(DESIGN, arms=dict.fromkeys(arms, 1))

    found = analyse(design, shown, made.transactions, Due(1.0, (HALF_OF_THREE,), True), Money())

    better, same = found.comparisons
    assert better.is_shown
    assert not same.is_shown
    assert found.conclusion.startswith("recommended is better: share of units that gave +0.")
    assert better.difference.low < 0.15 < better.difference.high
    assert better.adjusted >= better.p
    assert found.boundary > 2.2
    assert found.chi_square is not None
    assert found.chi_square.p < 0.001
    assert found.arms[0].units == 600


HALF_OF_THREE = Look(0.5, {"recommended": 1.0, "same-cluster": 0.2})


@pytest.mark.parametrize("metric", ["amount", "amount-per-gift", "gifts", "projects"])
def test_metrics_without_a_difference_show_none(metric: str) -> None:
    arms = {"default": 0.3, "recommended": 0.3}
    made, shown = gifts(arms, dict.fromkeys(arms, 80.0))

    found = analyse(
        replace(DESIGN, metric=metric), shown, made.transactions, Due(1.0, (), True), Money()
    )

    assert "no difference is shown; the intervals say how large" in found.conclusion
    assert found.comparisons[0].difference.low < 0 < found.comparisons[0].difference.high
    assert found.chi_square is None
    assert (found.capped is not None) == ("amount" in metric)


def test_a_guardrail_that_gets_worse_is_told_though_nobody_planned_to_look() -> None:
    arms = {"default": 0.5, "recommended": 0.5}
    made, shown = gifts(arms, {"default": 100.0, "recommended": 30.0}, units=900)
    design = replace(DESIGN, guardrails=("amount-per-gift", "gifts", "taken-back"), units=1_800)

    money, many, back = guard(design, shown, made.transactions, Money())

    assert (money.metric, money.is_worse) == ("amount-per-gift", True)
    assert money.difference.high < 0
    assert (many.metric, many.is_worse) == ("gifts", False)
    assert (back.metric, back.is_worse) == ("taken-back", None)


@pytest.mark.parametrize(
    ("rate", "units", "said"),
    [
        ({}, 0, "no exposure of page is stored"),
        ({"default": 0.5, "recommended": 0.5}, 20, "too few units: default 20, recommended 20"),
        ({"default": 0.5, "recommended": 0.0}, 100, "too few: 0 of 100 units of recommended"),
    ],
    ids=["nobody", "few", "all alike"],
)
def test_what_cannot_be_said_is_refused_with_counts(rate, units: int, said: str) -> None:
    made, shown = gifts(rate, dict.fromkeys(rate, 9.0), units) if rate else (view([]), seen({}))
    with pytest.raises(Unfit, match=said):
        analyse(DESIGN, shown, made.transactions, Due(1.0, (), True), Money())


def test_amounts_of_several_currencies_need_one_named() -> None:
    arms = {"default": 0.5, "recommended": 0.5}
    made, shown = gifts(arms, dict.fromkeys(arms, 9.0), 60)
    other = view(
        [Told("0xbb", MINED, at=5, wallet=2, chain=10), Told("0xcc", MINED, at=5, wallet=2)]
    )
    import pyarrow as pa

    both = pa.concat_tables([made.transactions, other.transactions])
    design = replace(DESIGN, metric="amount")
    with pytest.raises(Unfit, match="amounts are in 10:USDC, 1:USDC: name one with --currency"):
        analyse(design, shown, both, Due(1.0, (), True), Money())
    found = analyse(design, shown, both, Due(1.0, (), True), Money("1:USDC", 1))
    assert found.arms[0].figure.value < 9


def test_states_go_one_way_with_acts_and_the_salt_is_never_told(database: Database) -> None:
    with session(database) as writing:
        row = book.create(writing, DESIGN, "secret", "user:ann", NOON)
        assert "secret" not in json.dumps(book.told(row))
        assert book.design_of(row) == DESIGN
        with pytest.raises(Illegal, match="a name is used once"):
            book.create(writing, DESIGN, "x", "user:ann", NOON)
        with pytest.raises(Illegal, match="page is draft, not running"):
            book.stop(writing, "page", "r", "user:ann", NOON)
        book.start(writing, "page", "go", "user:ann", NOON)
        book.looked(writing, row, Look(0.6, {"recommended": 1.0}), {}, "user:ann", NOON)
        with pytest.raises(Illegal, match="page was looked at meanwhile"):
            book.looked(writing, row, Look(0.6, {"recommended": 1.0}), {}, "user:ben", NOON)
        book.stop(writing, "page", "done", "user:ann", NOON)
        with pytest.raises(NotFound):
            book.get(writing, "other")
    with reading(database) as looking:
        acts = [row.action for row in looking.exec(select(AuditRow)).all()]
    assert acts == [f"experiment.{verb}" for verb in ("create", "start", "look", "stop")]


@pytest.fixture
def soc(suite: Suite) -> Soc:
    """Run a command of experiments; a refusal is raised."""

    def run(*words: str) -> Any:
        command = ["intelligence", "experiment", *words, "--home", str(suite.home.path)]
        return CliRunner().invoke(app, command, catch_exceptions=False)

    return run


def give(suite: Suite, wallets: Sequence[str]) -> None:
    """Let *wallets* give a little later than now, as the chain tells it."""
    at = rfc3339(datetime.now(UTC) + timedelta(seconds=20))
    lines = [
        json.dumps(
            {
                "@timestamp": at,
                "event": {"id": f"g{one}", "dataset": MINED, "action": "donate"},
                "wallet": {"address": one},
                "chain": {"id": 1, "tx": {"hash": f"0x{one[2:]:0>64}"}, "finality": "finalized"},
                "funding": {
                    "round": {"id": "r"},
                    "project": {"id": "p"},
                    "amount": {"raw": "7"},
                    "token": {"symbol": "USDC"},
                },
            }
        ).encode()
        for one in wallets
    ]
    now = Suite(suite.home.path)  # by the machine's clock, as commands have it
    take(now, ["-"], "chain", "auto", len(lines), BytesIO(b"\n".join(lines)))


def test_an_experiment_from_its_plan_to_its_last_look(suite: Suite, soc: Soc) -> None:
    arms = ("--arm", "default", "--arm", "recommended=1")
    about = ("--title", "t", "--owner", "role:funding", "--looks", "0.5,1", "--units", "400")
    made = json.loads(soc("create", "page", *arms, *about, "--guardrail", "gifts", "--json").stdout)
    draft = json.loads(soc("assign", "page", WALLETS[0], "--json").stdout)
    assert (made["state"], made["units"]) == ("draft", 400)
    assert (draft["assigned"][0]["arm"], draft["recorded"]) == ("default", 0)
    assert soc("start", "page").exit_code == 2
    soc("start", "page", "--reason", "go")

    preview = json.loads(soc("assign", "page", *WALLETS[:240], "--preview", "--json").stdout)
    first = json.loads(soc("assign", "page", *WALLETS[:240], "--json").stdout)
    again = json.loads(soc("assign", "page", *WALLETS[:240], "--json").stdout)
    assert (preview["recorded"], first["recorded"]) == (0, 240)
    assert (again["recorded"], again["known"]) == (0, 240)
    assert preview["assigned"] == first["assigned"] == again["assigned"]

    chosen = {one["unit"]: one["arm"] for one in first["assigned"]}
    control = [unit for unit, arm in chosen.items() if arm == "default"]
    other = [unit for unit, arm in chosen.items() if arm == "recommended"]
    give(suite, [*control[:12], *other[:60]])
    watched = json.loads(soc("report", "page", "--watch", "--json").stdout)
    assert watched["taken"] == []
    assert watched["standing"]["exposed"] == {"default": len(control), "recommended": len(other)}
    look = soc("report", "page")
    assert "look at 60.0%" in look.stdout
    assert "recommended is better: share of units that gave +0." in look.stdout
    assert "guardrail gifts, recommended is not shown to be worse" in look.stdout
    with pytest.raises(Illegal, match="nobody was exposed since the look at 60%"):
        experiments.report(suite, "page", "user:ann", Money())
    with pytest.raises(Illegal, match="only after the last look"):
        experiments.advised(suite, "page", (1, 19), 0.1)

    soc("assign", "page", *WALLETS[240:300])
    soc("stop", "page", "--reason", "clear enough")
    last = json.loads(soc("report", "page", "--json").stdout)
    kept = json.loads(soc("report", "page", "--json").stdout)
    assert [one["ends"] for one in last["taken"]] == [False, True]
    assert kept["taken"] == last["taken"]
    best = json.loads(soc("bandit", "page", "--json").stdout)
    assert best["arms"][1]["best"] > 0.99
    assert {one["policy"] for one in best["policies"]} >= {"ucb1", "thompson(1,19)", "fixed shares"}
    assert "thompson(1,19)" in soc("bandit", "page").stdout
    assert soc("list").stdout.splitlines()[1].startswith("page  stopped  default, recommended")


def test_exposures_that_were_forged_count_for_nothing(suite: Suite) -> None:
    experiments.create(suite, DESIGN, "user:ann")
    with session(suite.database) as writing:
        book.start(writing, "page", "go", "user:ann", NOON)
    given = experiments.assigned(suite, "page", WALLETS[:10])["assigned"]
    wrong = {"default": "recommended", "recommended": "default"}[given[0]["arm"]]
    said = [
        {"experiment": {"name": "page", "arm": wrong}},
        {"experiment": {"name": "page", "arm": "none"}},
        {"experiment": "page"},
        {},
    ]
    lines = [
        json.dumps(
            {
                "@timestamp": rfc3339(NOON),
                "event": {"id": f"f{n}", "dataset": assign.DATASET},
                "wallet": {"address": given[n]["unit"]},
                "soc": one,
            }
        ).encode()
        for n, one in enumerate(said)
    ]
    take(suite, ["-"], "stranger", "auto", 10, BytesIO(b"\n".join(lines)))

    with reading(suite.database) as looking:
        found = experiments.standing(book.get(looking, "page"), suite.reader)

    assert (sum(found["exposed"].values()), found["mixed"]) == (8, 2)


def test_power_is_said_before(soc: Soc) -> None:
    words = ["intelligence", "experiment", "power", "--baseline", "0.05", "--effect", "0.03"]
    said = CliRunner().invoke(app, [*words, "--units", "326"]).stdout

    assert "1047 units in each of 2 arms, 2094 in all" in said
    assert "see it in 19.8% of cases" in said
