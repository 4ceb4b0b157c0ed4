"""A score is between 0 and 1, higher is stranger, and "not ready" is its own answer."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc.detect.anomaly import (
    MOST_JUDGED,
    MOST_OPEN,
    NEEDS,
    AccountAnomaly,
    Memory,
    WalletAnomaly,
    learned,
)
from soc.model.event import Batch
from soc.model.finding import NotReady
from soc.model.value import Severity
from soc.settings import Detect

Make = Callable[..., Batch]
HOUR = 3600
DETECTOR = WalletAnomaly(Detect())


def quiet(hour: int, wallets: int = 60) -> list[dict[str, Any]]:
    return [
        {"wallet": f"0x{n}", "dataset": "d", "project": f"p{n % 5}", "src_ip": f"192.0.2.{n}", "amount": "10", "at": hour * HOUR + k}
        for n in range(wallets)
        for k in range(1 + (n + hour) % 3)
    ]  # fmt: skip


def watch(
    make: Make, noon: datetime, hours: list[list[dict[str, Any]]], detector: Any = DETECTOR
) -> tuple[list[Any], Memory]:
    state, answers, begin = Memory(), [], 1
    for hour, rows in enumerate(hours):
        window = make([dict(row) for row in rows], begin)
        observed = detector.observe(window, state, noon + timedelta(hours=hour + 1))
        state, begin = observed.state, window.upto + 1
        answers += observed.answers
    return answers, state


def storm(hour: int) -> list[dict[str, Any]]:
    return [
        {"wallet": "0xstrange", "dataset": f"d{k % 4}", "project": f"p{k}", "src_ip": f"198.51.100.{k}", "outcome": "failure", "amount": str(10**9), "at": hour * HOUR + k}
        for k in range(40)
    ]  # fmt: skip


def test_a_wallet_unlike_all_others_is_found_with_reasons(batch: Make, noon: datetime) -> None:
    hours = [quiet(h) for h in range(6)] + [[*quiet(6), *storm(6)], quiet(7), quiet(8)]

    answers, _ = watch(batch, noon, hours)

    findings = [answer for answer in answers if not isinstance(answer, NotReady)]
    assert [str(finding.entity) for finding in findings] == ["wallet:0xstrange"]
    assert findings[0].score.value >= 0.995
    assert any(reason.startswith("projects: 40") for reason in findings[0].score.reasons)


def test_before_enough_was_seen_it_says_so(batch: Make, noon: datetime) -> None:
    answers, _ = watch(batch, noon, [[*quiet(0), *storm(0)], quiet(1), quiet(2)])

    assert answers
    assert all(isinstance(answer, NotReady) for answer in answers)
    assert f"of {NEEDS} rows" in answers[0].reason


def test_usual_hours_are_no_findings(batch: Make, noon: datetime) -> None:
    answers, _ = watch(batch, noon, [quiet(h) for h in range(12)])

    assert [a for a in answers if not isinstance(a, NotReady)] == []


def test_a_late_event_counts_and_one_after_the_verdict_is_counted_apart(
    batch: Make, noon: datetime
) -> None:
    late = {"wallet": "0x1", "dataset": "d", "at": 10}

    _, state = watch(batch, noon, [quiet(0), quiet(1), quiet(2), [late, *quiet(3)]])

    assert state.too_late == 1


def test_an_amount_beyond_64_bits_is_a_number_like_any_other(batch: Make, noon: datetime) -> None:
    rich = {"wallet": "0x1", "dataset": "d", "amount": "9" * 78, "at": 5}
    wrong = {"wallet": "0x2", "dataset": "d", "amount": "9" * 5000, "at": 5}

    _, state = watch(batch, noon, [[rich, wrong], quiet(1), quiet(2)])

    assert sorted(row[-1] for row in state.rows[:2]) == [0.0, pytest.approx(78.0)]


def test_what_claims_to_be_of_the_future_is_of_now(batch: Make, noon: datetime) -> None:
    last = int((datetime.max.replace(tzinfo=UTC) - noon).total_seconds()) - 10
    rows = [{"wallet": "0x1", "dataset": "d", "at": hour * HOUR, "seen": 0} for hour in range(5000)]

    observed = DETECTOR.observe(
        batch([*rows, {"wallet": "0x1", "at": last, "seen": 0}]), Memory(), noon
    )

    (bucket,) = observed.state.open
    assert bucket == noon
    assert observed.state.open[bucket]["0x1"].events == 5001


def test_the_past_is_kept_as_far_as_it_fits_and_judged_bit_by_bit(
    batch: Make, noon: datetime
) -> None:
    rows = [
        {"wallet": "0x1", "dataset": "d", "at": -hour * HOUR, "seen": 0}
        for hour in range(MOST_OPEN + 500)
    ]

    state = DETECTOR.observe(batch(rows), Memory(), noon).state

    assert len(state.open) == MOST_OPEN - MOST_JUDGED
    assert state.too_late == 500
    assert state.judged == min(state.open)


def test_a_name_of_any_length_is_judged(batch: Make, noon: datetime) -> None:
    rows = [{**row, "wallet": "0xstrange" * 200} for row in storm(6)]
    hours = [quiet(h) for h in range(6)] + [[*quiet(6), *rows], quiet(7), quiet(8)]

    answers, _ = watch(batch, noon, hours)

    (found,) = [answer for answer in answers if not isinstance(answer, NotReady)]
    assert found.entity.value.startswith("0xstrange0xstrange")


def test_accounts_are_judged_apart_from_wallets(batch: Make, noon: datetime) -> None:
    rows = [[{"user_name": "ines", "dataset": "d", "at": h * HOUR}] for h in range(4)]

    _, state = watch(batch, noon, rows, AccountAnomaly(Detect()))

    assert len(state.rows) >= 1


@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=6, max_size=6), min_size=30, max_size=60))
def test_every_score_is_between_0_and_1(rows: list[list[float]]) -> None:
    reference = np.array(rows)
    model = learned(reference)

    found = model.share(model.score(np.vstack([reference[:5], reference[:5] * 1000 + 1])))

    assert ((found >= 0) & (found <= 1)).all()


def test_no_score_is_ever_more_than_low(batch: Make, noon: datetime) -> None:
    for kind in (WalletAnomaly, AccountAnomaly):
        hours = [[{**row, "user_name": row["wallet"]} for row in h] for h in (*map(quiet, range(6)), quiet(6) + storm(6), quiet(7), quiet(8))]  # fmt: skip

        answers, _ = watch(batch, noon, hours, kind(Detect()))

        found = [answer for answer in answers if not isinstance(answer, NotReady)]
        assert {(one.severity, one.score is not None) for one in found} == {(Severity.LOW, True)}
