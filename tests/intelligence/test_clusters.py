"""Groups that were planted are found; where there are none, that is said with numbers."""

from datetime import timedelta

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, silhouette_score

from soc.errors import Refused, Unfit
from soc.incidents.kpis.statistics import wilson
from soc.intelligence.clusters import chance
from soc.intelligence.clusters.density import dense
from soc.intelligence.clusters.partition import distances, divisions, knee, silhouette
from soc.intelligence.clusters.plane import plane
from soc.intelligence.clusters.sheet import Matrix, Scaling, Sheet, of_rows, sheet
from soc.intelligence.clusters.study import FLOOR, Study, profiles, study
from soc.intelligence.features.build import build
from tests.conftest import NOON
from tests.intelligence.people import people

FEW = 20
"""Draws, where a test is not about their number."""
CENTRES = np.array([[0, 0, 0, 0], [6, 6, 0, 0], [0, 6, 6, 0]])


def sheet_of(raw: Matrix, scaling: Scaling = Scaling.ROBUST) -> Sheet:
    wallets = tuple(f"w{n}" for n in range(len(raw)))
    return of_rows(wallets, tuple(f"x{n}" for n in range(raw.shape[1])), raw, scaling)


def blobs(rows: int = 120) -> tuple[Matrix, np.ndarray]:
    truth = np.arange(rows) % 3
    return np.random.default_rng(1).normal(size=(rows, 4)) + CENTRES[truth], truth


@pytest.fixture(scope="module")
def planted() -> Study:
    return study(sheet_of(blobs()[0]), 1)


def test_three_planted_groups_are_found(planted: Study) -> None:
    _, truth = blobs()

    assert planted.is_found
    assert (planted.best.k, planted.elbow) == (3, 3)
    assert adjusted_rand_score(truth, planted.labels) > 0.9
    assert planted.best.silhouette > max(FLOOR, *(one.reached for one in planted.nulls))
    assert [one.draws for one in planted.nulls] == [50, 50]
    assert planted.stability.resamples == 50
    assert min(planted.stability.jaccard) > 0.9
    assert planted.stability.agreement.low > 0.8
    assert planted.verdict.startswith("3 clusters: silhouette 0.")


def noise(kind: str, seed: int = 1) -> Matrix:
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(120, 1))
    return {
        "normal": rng.normal(size=(120, 4)),
        "one long cloud": shared + 0.3 * rng.normal(size=(120, 3)),
        "skewed and correlated": np.exp(shared + 0.5 * rng.normal(size=(120, 3))),
    }[kind]


@pytest.mark.parametrize("kind", ["normal", "one long cloud", "skewed and correlated"])
def test_without_structure_there_are_no_clusters_and_no_profiles(kind: str) -> None:
    found = study(sheet_of(noise(kind)), 1, FEW)

    assert not found.is_found
    assert found.verdict.startswith("no clusters: silhouette 0.")
    assert f"{found.best.silhouette:.3f}" in found.verdict
    assert profiles(found, {}) == []


def test_silhouette_is_that_of_scikit_learn() -> None:
    raw, truth = blobs()
    truth[truth == 2] = np.r_[3, np.full(39, 2)]

    assert silhouette(distances(raw), truth) == pytest.approx(silhouette_score(raw, truth))


def test_inertia_falls_with_k_and_every_k_from_two_to_eight_is_tried() -> None:
    found = divisions(sheet_of(blobs()[0]).rows, 1)

    assert [one.k for one in found] == list(range(2, 9))
    assert (np.diff([one.inertia for one in found]) < 0).all()


@pytest.mark.parametrize("name", chance.NULLS)
def test_a_null_keeps_every_column_and_one_population_how_they_go_together(name: str) -> None:
    rows = noise("one long cloud")
    drawn = chance.NULLS[name](rows, np.random.default_rng(1))
    correlation = np.corrcoef(drawn[:, 0], drawn[:, 1])[0, 1]

    assert (np.sort(drawn, axis=0) == np.sort(rows, axis=0)).all()
    assert (correlation > 0.8) == (name == "one population")
    assert abs(correlation) < 0.3 or name == "one population"


def test_a_profile_describes_its_group_in_units_of_features(planted: Study) -> None:
    _, truth = blobs()
    found = profiles(planted, {"is third": truth == 2})
    third = max(found, key=lambda one: one.shares["is third"].hits)

    assert sum(one.size for one in found) == 120
    assert third.centroid["x2"] == pytest.approx(6, abs=0.5)
    assert set(third.unlike) >= {"x2"}
    share = third.shares["is third"]
    assert share.interval == wilson(share.hits, third.size)
    assert sum(one.shares["is third"].hits for one in found) == 40


def test_dense_places_are_groups_and_the_rest_is_noise() -> None:
    raw, truth = blobs()
    found = dense(np.vstack([raw, [[40.0] * 4]]))

    assert found.groups == 3
    assert found.labels[-1] == -1
    inside = found.labels[:-1] >= 0
    assert adjusted_rand_score(truth[inside], found.labels[:-1][inside]) == pytest.approx(1)


def test_a_curve_bends_where_it_is_farthest_from_the_line_between_its_ends() -> None:
    assert knee(np.array([10.0, 4, 3, 2.5, 2])) == 1
    assert knee(np.array([1.0, 1, 1])) == 0


def test_the_plane_shows_most_of_what_differs() -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(500, 3)) * [1, 5, 2]
    found = plane(rows)

    assert sum(found.explained) == pytest.approx(1)
    assert found.explained[0] == pytest.approx(25 / 30, abs=0.05)
    assert np.abs(found.loadings).argmax(axis=1).tolist() == [1, 2]
    assert found.points.var(axis=0) == pytest.approx([25, 4], rel=0.2)


def test_missing_answers_become_the_median_and_are_told() -> None:
    raw, _ = blobs()
    raw[:7, 2] = np.nan
    found = sheet_of(raw)

    assert [(one.feature, one.missing) for one in found.filled] == [("x2", 7)]
    assert found.filled[0].median == np.median(raw[7:, 2])
    assert np.isnan(found.raw[:7, 2]).all()
    assert len(set(found.rows[:7, 2].tolist())) == 1


def test_no_outlier_makes_a_group_of_its_own() -> None:
    raw = noise("normal")
    raw[0] = 1e6

    assert np.abs(sheet_of(raw).rows).max() < 50
    assert sheet_of(raw, Scaling.STANDARD).rows.max() == pytest.approx(119**0.5, rel=1e-3)


def changed(column: int, value: float, rows: int = 120) -> Matrix:
    raw, _ = blobs()
    raw[:rows, column] = value
    return raw


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        pytest.param(blobs(48)[0], "too few users: 48; at least 50 are needed", id="few"),
        pytest.param(blobs()[0][:, :1], "1 features are left: at least 2", id="one column"),
        pytest.param(changed(1, 3.0), r"x1 \(constant\): add --without x1", id="constant"),
        pytest.param(
            changed(2, np.nan, 61), r"x2 \(missing for 61 of 120\): add --without x2", id="missing"
        ),
        pytest.param(changed(0, np.inf, 1), "infinite values in x0", id="infinite"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_counts(raw: Matrix, words: str) -> None:
    with pytest.raises(Unfit, match=words):
        sheet_of(raw)


def test_features_are_left_out_by_name() -> None:
    frame = build(people(), NOON + timedelta(days=3))
    found = sheet(frame, ["suspicious_ratio", "rare_project_share"])

    assert "suspicious_ratio" not in found.names
    assert len(found.names) == len(frame.names) - 2
    with pytest.raises(Unfit, match="--without suspicious_ratio --without rare_project_share"):
        sheet(frame)
    with pytest.raises(Refused, match="--without height: the features are total_amount"):
        sheet(frame, ["height"])
