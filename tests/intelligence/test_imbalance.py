"""Evening out classes is measured within folds, and recommended only where it helps beyond chance."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from soc.errors import Refused, Unfit
from soc.intelligence.models.imbalance import WAYS, Variant, advice, variants
from soc.intelligence.models.measure import Figure
from soc.intelligence.models.task import Data
from tests.intelligence.test_models import data, seeds_own

WAYS_TOLD = ["none", "class weights", "SMOTE", "ADASYN", "BorderlineSMOTE"]


@cache
def rare() -> Data:
    """Return rows of which one in eight is yes, more so with one of the features."""
    rows, rng = data(), np.random.default_rng(4)
    drawn = rng.normal(size=rows.X.shape)
    chance = 1 / (1 + np.exp(2.6 - 1.5 * drawn[:, 0]))
    return replace(rows, X=drawn, y=(rng.random(len(rows)) < chance).astype(float))


def test_each_way_is_measured_on_the_same_rows_as_they_are() -> None:
    found = {one.name: one for one in variants(rare(), "ridge", 1)}

    assert list(found) == list(WAYS) == WAYS_TOLD
    assert not any(one.problem for one in found.values())
    assert found["none"].gain is None
    for name in WAYS_TOLD[1:]:
        one, plain = found[name], found["none"]
        assert one.gain is not None
        assert one.gain.value == pytest.approx(one.figures["ap"].value - plain.figures["ap"].value)
        # Calibrated: classes evened to halves would foretell four times as often as it comes true.
        assert one.inflated is not None
        assert 0.5 < one.inflated < 2


def test_a_way_that_cannot_be_gone_says_why() -> None:
    found = {one.name: one for one in variants(data("high-value"), "knn", 1)}

    assert found["class weights"].problem == "this model takes no class weights"
    assert found["class weights"].figures == {}


@pytest.mark.parametrize(
    ("low", "said"),
    [
        pytest.param(0.01, "SMOTE gains average precision: +0.100 [+0.010, +0.200].", id="sure"),
        pytest.param(-0.01, "Do nothing: no way", id="within chance"),
    ],
)
def test_only_a_gain_beyond_chance_is_recommended(low: float, said: str) -> None:
    plain = Variant("none", {}, None, 1.0)
    other = Variant("SMOTE", {}, Figure(0.1, low, 0.2), 1.0)

    assert advice([plain, other]).startswith(said)
    assert not plain.is_recommended


def test_leaks_and_amounts_are_refused_here_too() -> None:
    with pytest.raises(Unfit, match="total_amount foretells"):
        variants(seeds_own(data()), "ridge", 1)
    with pytest.raises(Refused, match="needs classes"):
        variants(data("lifetime-value"), "ridge", 1)
