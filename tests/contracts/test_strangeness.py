"""What every profile keeps to, and so every member: each is a profile of its own too."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

import numpy as np
import pytest

from soc.detect import strangeness
from soc.detect.strangeness.kept import arrays_of, restored
from soc.detect.strangeness.model import Model, among, fit
from soc.detect.strangeness.profile import MEMBERS, PROFILES
from soc.errors import Refused

COLUMNS = ("gifts", "amount", "wait", "grants", "still")

pytestmark = pytest.mark.parametrize("name", PROFILES)


@cache
def usual() -> np.ndarray:
    """Return rows whose columns go together, one of whole numbers, one that hardly varies."""
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(240, 5)) + 0.8 * rng.normal(size=(240, 1))
    rows[:, 1] = np.exp(3 * rows[:, 1])
    rows[:, 3] = rng.poisson(3, 240)
    rows[:, 4] = rng.random(240) < 0.05
    return rows


@cache
def fitted(name: str) -> Model:
    return fit(PROFILES[name], usual(), COLUMNS, seed=7)


def strange() -> np.ndarray:
    return np.array([[25.0, 1e9, -25.0, 90.0, 30.0]])


def test_it_says_what_it_is_for(name: str) -> None:
    profile = PROFILES[name]

    assert profile.name == name
    assert profile.about
    assert len(profile.members) == len(profile.weights) == len({m.name for m in profile.members})


def test_every_member_that_there_is_can_be_had_alone(name: str) -> None:
    modules = [
        import_module(f"{strangeness.__name__}.{m.name}")
        for m in iter_modules(strangeness.__path__)
    ]
    kinds = {
        kind for module in modules for kind in vars(module).values()
        if isinstance(kind, type) and hasattr(kind, "fit") and not getattr(kind, "_is_protocol", False)
    }  # fmt: skip

    assert kinds == {type(member) for member in MEMBERS}
    assert {type(member) for member in PROFILES[name].members} <= kinds


def test_scores_are_numbers_one_for_each_row_in_order(name: str) -> None:
    scores = fitted(name).score(usual())

    assert scores.shape == (240,)
    assert np.isfinite(scores).all()
    assert scores[17] == pytest.approx(fitted(name).score(usual()[17:18])[0], abs=1e-4)


def test_the_same_seed_gives_the_same_scores(name: str) -> None:
    again = fit(PROFILES[name], usual(), COLUMNS, seed=7)

    assert (again.score(usual()) == fitted(name).score(usual())).all()


def test_what_is_far_out_ranks_first(name: str) -> None:
    scores = fitted(name).score(np.vstack([usual(), strange()]))

    assert scores.argmax() == 240


def test_what_is_far_out_ranks_first_among_those_it_was_fitted_with(name: str) -> None:
    rows = np.vstack([usual()[:120], strange(), usual()[120:]])

    scores = among(fit(PROFILES[name], rows, COLUMNS), rows).scores

    assert scores.argmax() == 120


def test_the_order_of_rows_is_immaterial(name: str) -> None:
    order = np.random.default_rng(5).permutation(240)
    shuffled = usual()[order]

    again = among(fit(PROFILES[name], shuffled, COLUMNS, seed=7), shuffled)

    assert again.scores == pytest.approx(among(fitted(name), usual()).scores[order], abs=1e-4)


def test_reasons_name_a_column_a_value_and_a_member(name: str) -> None:
    reasons = fitted(name).explain(strange()[0])

    assert reasons
    for reason in reasons:
        assert reason.column in COLUMNS
        assert reason.value == strange()[0][COLUMNS.index(reason.column)]
        assert reason.member in {member.name for member in PROFILES[name].members}
        assert str(reason).startswith(f"{reason.column}: ")


def test_what_is_usual_has_no_reasons(name: str) -> None:
    middle = usual()[among(fitted(name), usual()).scores.argmin()]

    assert fitted(name).explain(middle) == ()


def test_a_column_that_never_varied_is_no_obstacle(name: str) -> None:
    still = usual().copy()
    still[:, 3] = 4.0
    other = still[:1].copy()
    other[0, 3] = 400.0

    model = fit(PROFILES[name], still, COLUMNS)

    assert model.score(other)[0] >= model.score(still[:1])[0]


@pytest.mark.parametrize("cell", [np.nan, np.inf, -np.inf, 1e101])
def test_what_is_no_number_is_refused_with_counts(name: str, cell: float) -> None:
    rows = usual().copy()
    rows[[3, 9], 2] = cell

    for refused in (lambda: fit(PROFILES[name], rows, COLUMNS), lambda: fitted(name).score(rows)):
        with pytest.raises(Refused, match=r"^2 cells .*\(wait: 2\)"):
            refused()


def test_too_few_rows_are_refused_with_what_is_needed(name: str) -> None:
    with pytest.raises(Refused, match="29 rows to learn from: at least 30"):
        fit(PROFILES[name], usual()[:29], COLUMNS)


def test_rows_of_other_columns_are_refused(name: str) -> None:
    with pytest.raises(Refused, match="5 columns are needed"):
        fitted(name).score(usual()[:, :4])


def test_it_is_kept_as_plain_arrays_and_comes_back_the_same(name: str) -> None:
    arrays = arrays_of(fitted(name))

    again = restored(arrays)

    assert {array.dtype.kind for array in arrays.values()} <= set("uif")
    assert (again.score(usual()) == fitted(name).score(usual())).all()
    assert (again.weights, again.columns, again.seed) == (fitted(name).weights, COLUMNS, 7)
