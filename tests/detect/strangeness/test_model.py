"""What profiles learn, how members are joined, and what is kept of it."""

import numpy as np
import pytest

from soc.detect.strangeness.combine import votes, z_log
from soc.detect.strangeness.kept import arrays_of, restored
from soc.detect.strangeness.lesinn import Lesinn, nearest, weights_of
from soc.detect.strangeness.model import REFERENCE, among, fit
from soc.detect.strangeness.profile import PROFILES, profile_of
from soc.detect.strangeness.scale import scale_of
from soc.errors import Refused

COLUMNS = ("a", "b", "c")
SCALED = sorted(name for name, profile in PROFILES.items() if not profile.by_size)


def rows(many: int = 120, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(many, 3)) + 5


@pytest.mark.parametrize("name", SCALED)
def test_the_unit_of_a_column_is_immaterial(name: str) -> None:
    units = [1 / 64, 1024.0, 1.0]

    here, there = (
        fit(PROFILES[name], each, COLUMNS).score(each) for each in (rows(), rows() * units)
    )

    assert there == pytest.approx(here, abs=1e-4)


def test_distances_are_those_of_the_plain_formula() -> None:
    here, drawn = rows(40), rows(24, 2).reshape(4, 6, 3)

    found = nearest(here, weights_of(drawn))

    each = np.linalg.norm(here[:, None, None] - drawn[None], axis=3)
    assert found == pytest.approx(each.min(axis=1), abs=1e-2)


def test_a_row_is_no_neighbour_of_itself() -> None:
    lonely = np.vstack([rows(40), [[60.0, 60.0, 60.0]]])

    inside = Lesinn(sample=20, draws=50).fit(lonely, seed=0).usual[-1]
    outside = Lesinn(sample=20, draws=50).fit(lonely[:-1], seed=0).score(lonely[-1:])[0]

    assert inside == pytest.approx(outside, rel=0.02)


def test_a_second_look_is_not_taken_in_by_a_group_of_anomalies() -> None:
    group = np.vstack([rows(180), rows(20, 3) * 0.05 + 40])
    once, twice = (Lesinn(sample=16, trim=trim).fit(group, seed=0) for trim in (0.0, 0.2))

    margins = [
        each.score(group)[180:].min() / each.score(group)[:180].max() for each in (once, twice)
    ]

    assert margins[1] > 2 * margins[0]


def test_beyond_three_deviations_distance_grows_with_its_logarithm() -> None:
    scale = scale_of(rows(2000))

    near, far, farther = (
        scale.apply(scale.centre + scale.spread * n)[0] for n in (2.0, 30.0, 300.0)
    )

    assert near == pytest.approx(2.0)
    assert far == pytest.approx(3 + 3 * np.log(10))
    assert farther - far == pytest.approx(3 * np.log(10))


def test_a_column_that_is_mostly_one_value_is_measured_by_its_deviation() -> None:
    mostly = np.zeros((100, 1))
    mostly[:10] = 5.0

    assert scale_of(mostly).spread == pytest.approx(mostly.std())


def test_z_log_keeps_the_margin_that_ranks_throw_away() -> None:
    usual = np.arange(101.0)

    found = z_log(np.array([50.0, 100.0, 150.0, 5050.0]), usual)

    assert found == pytest.approx(np.log1p([0, 1, 2, 100]))


def test_two_votes_beat_one_whatever_the_ranks() -> None:
    usual = np.arange(100.0)
    both, one = votes(np.array([90.0, 90.0]), usual), votes(np.array([1e9, 89.0]), usual)

    assert both.sum() > one.sum()


def test_of_many_rows_a_part_is_learned_from_and_all_are_judged() -> None:
    many = rows(REFERENCE + 500)
    many[17] = 99.0

    model = fit(PROFILES["lesinn"], many, COLUMNS)

    assert (len(model.reference), model.of) == (REFERENCE, REFERENCE + 500)
    assert among(model, many).scores.argmax() == 17


def test_the_reason_is_of_the_member_that_spoke_loudest() -> None:
    rng = np.random.default_rng(0)
    line = rng.normal(size=(300, 1)) * [1, 1, 1] + rng.normal(size=(300, 3)) * 0.01
    model = fit(PROFILES["clean-baseline"], line, COLUMNS)

    reasons = model.explain(np.array([1.5, -1.5, 1.5]))

    assert {reason.member for reason in reasons} == {"mahalanobis"}


def test_other_weights_change_scores_and_what_is_usual() -> None:
    model = fit(PROFILES["onchain-skewed"], rows(), COLUMNS)

    other = model.weighed((2.0, 0.0))

    voices = model.judge(rows()).voices
    assert other.score(rows()) == pytest.approx(2 * voices[:, 0])
    assert other.share(other.usual.scores).max() < 1


def test_a_profile_that_is_not_there_is_named_with_the_nearest() -> None:
    with pytest.raises(Refused, match="no profile votes: write one of tabular-contaminated, "):
        profile_of("votes")
    with pytest.raises(Refused, match="did you mean onchain-skewed"):
        profile_of("onchain-skew")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"about": np.frombuffer(b"{}", np.uint8)}, "no model that was kept", id="empty"),
        pytest.param({"about": np.frombuffer(b"\xff", np.uint8)}, "no model that was kept", id="noise"),
        pytest.param({"usual": np.zeros(120)}, "learns otherwise", id="other scores"),
        pytest.param({"usual": np.zeros(3)}, "learns otherwise", id="fewer scores"),
        pytest.param({"reference": np.full((120, 3), np.nan)}, "cells are missing", id="not numbers"),
    ],
)  # fmt: skip
def test_a_kept_model_that_is_not_what_was_kept_is_refused(
    change: dict[str, np.ndarray], said: str
) -> None:
    arrays = dict(arrays_of(fit(PROFILES["lesinn"], rows(), COLUMNS)))

    with pytest.raises(Refused, match=said):
        restored({**arrays, **change})
