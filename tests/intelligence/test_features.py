"""Features mean what they say, and nothing that came later changes them."""

import math
import statistics
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soc.errors import Refused, Unfit
from soc.intelligence.features.build import build, write
from soc.intelligence.features.definitions import FEATURES, SEED
from tests.intelligence.gifts import HISTORIES, MINED, SAID, Told, moment, view, wallet

DAY = 86_400.0
ONE = [
    Told("0x1", SAID, at=0, amount="10"),
    Told("0x1", MINED, at=12, late=48, amount="10"),
    Told("0x2", SAID, at=30, amount="10", project="p2", round="r2"),
    Told("0x3", MINED, at=DAY, late=20, amount="40", finality="latest"),
    Told("0x4", MINED, at=DAY + 5, wallet=2, project="p2"),
]


def row(told: Sequence[Told], as_of: float, number: int = 1, **more: object) -> dict[str, object]:
    table = build(view(told, **more), moment(as_of)).table  # type: ignore[arg-type]
    return next(one for one in table.to_pylist() if one["wallet"] == wallet(number))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("total_amount", 60),
        ("avg_amount", 20),
        ("tx_count", 3),
        ("amount_volatility", statistics.stdev([10, 10, 40])),
        ("confirmation_rate", 2 / 3),
        ("suspicious_ratio", 0),
        ("avg_finality", 48),
        ("unique_projects", 2),
        ("unique_rounds", 2),
        ("days_since_activity", 1),
        ("tx_per_day", 1.5),
        ("tag_frequency", 2 / 3),
        ("event_lag", 6),
        ("gap_median", (30 + DAY - 30) / 2),
        ("burst_share", 1 / 3),
        ("hour_entropy", 0),
        ("project_degree", 4 / 3),
        ("rare_project_share", 1),
        ("round_phase", DAY / (DAY + 5) / 3),
        ("amount_repeat", 1 / 3),
    ],
)
def test_each_feature_is_what_it_is_defined_as(name: str, value: float) -> None:
    assert row(ONE, 2 * DAY)[name] == pytest.approx(value)


def test_every_feature_has_a_case_above_and_the_seed_has_ten() -> None:
    cases = {mark.args[1][n][0] for mark in _marks() for n in range(len(mark.args[1]))}

    assert cases == {feature.name for feature in FEATURES}
    assert len(SEED) == len(set(SEED)) == 10


def _marks() -> list[pytest.Mark]:
    return list(test_each_feature_is_what_it_is_defined_as.pytestmark)  # type: ignore[attr-defined]


def test_what_has_no_answer_is_missing_and_not_nought() -> None:
    found = row([Told("0x1", SAID)], 60)

    missing = {name for name, value in found.items() if value is None}
    assert missing == {"amount_volatility", "avg_finality", "event_lag", "gap_median"}


@settings(max_examples=30)
@given(HISTORIES, st.integers(1, 250_000))
def test_what_comes_after_the_moment_changes_nothing(told: Sequence[Told], as_of: int) -> None:
    facts = {one.tx: one for one in reversed(told)}
    announced = [one._replace(dataset=SAID, late=0) for one in facts.values()]
    later = [facts[one.tx]._replace(finality=one.finality, late=one.late) for one in told]
    whole = [*announced, *later]
    by_then = [one for one in whole if one.at + one.late < as_of]
    if by_then:
        assert _built(by_then, as_of) == _built(whole, as_of)


@settings(max_examples=20)
@given(HISTORIES)
def test_users_are_described_alike_one_at_a_time_and_all_at_once(told: Sequence[Told]) -> None:
    made = view([one._replace(chain=1) for one in told])
    if made.transactions.num_rows:
        one, all_ = (build(made, moment(250_000), at_once=n).table for n in (1, 100))
        assert one == all_


def _built(told: Sequence[Told], as_of: float) -> list[dict[str, object]]:
    return build(view(told), moment(as_of)).table.to_pylist()


@pytest.mark.parametrize(
    ("mark", "status", "ratio"),
    [
        pytest.param({}, "flagged", 0.5, id="found"),
        pytest.param({"known": moment(500)}, "active", 0, id="found later"),
        pytest.param({"cleared": moment(60)}, "active", 0, id="cleared"),
        pytest.param({"cleared": moment(500)}, "flagged", 0.5, id="cleared later"),
    ],
)
def test_suspicion_is_what_findings_and_verdicts_said_by_then(
    mark: dict[str, object], status: str, ratio: float
) -> None:
    told = [Told("0x1", at=10), Told("0x2", at=40)]
    alert = {"first": moment(30), "last": moment(45), "known": moment(50), **mark}
    found = row(told, 100, marks=[alert])

    assert (found["status"], found["suspicious_ratio"]) == (status, ratio)
    assert found["is_suspicious"] == (status == "flagged")


def test_who_did_nothing_for_a_month_is_inactive() -> None:
    assert row([Told("0x1")], 29 * DAY)["status"] == "active"
    assert row([Told("0x1")], 31 * DAY)["status"] == "inactive"


def test_amounts_of_several_currencies_are_not_added(tmp_path: Path) -> None:
    told = [Told("0x1"), Told("0x2", chain=10, wallet=2), Told("0x3", wallet=3)]

    with pytest.raises(Unfit, match=r"2 currencies: 10:USDC \(1\), 1:USDC \(2\): choose one"):
        build(view(told), moment(60))
    chosen = build(view(told), moment(60), "1:USDC", decimals=1)

    assert chosen.table["wallet"].to_pylist() == [wallet(1), wallet(3)]
    assert chosen.table["total_amount"].to_pylist() == [0.5, 0.5]
    with pytest.raises(Unfit, match="no transaction in 1:DAI"):
        build(view(told), moment(60), "1:DAI")
    with pytest.raises(Unfit, match="no transaction in any currency was made before"):
        build(view(told), moment(0))
    with pytest.raises(Refused, match=r"ends in \.csv or \.parquet"):
        write(chosen, tmp_path / "features.txt")


def test_a_frame_says_how_fresh_it_is_and_what_its_columns_mean() -> None:
    frame = build(view(ONE), moment(2 * DAY))
    other = build(view(ONE), moment(2 * DAY), features=FEATURES[:3])

    assert frame.fresh == moment(DAY + 5)
    assert frame.names == [feature.name for feature in FEATURES]
    assert frame.schema != other.schema
    assert all(feature.unit and feature.definition for feature in FEATURES)
    assert not any(math.isinf(v) for n in frame.names for v in frame.table[n].to_pylist() if v)
