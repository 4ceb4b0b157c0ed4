"""The arithmetic, against the worked postures of the published method and against properties."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from soc.threats.scale import (
    BAND,
    ControlType,
    Part,
    Proof,
    Weighed,
    freshness,
    operation,
    residual,
    shifted,
)

REGISTER = yaml.safe_load((Path(__file__).parent / "data" / "register.yml").read_text())
RISKS = ("R1", "R2", "R3", "R4", "R5")
DAY = timedelta(days=1)


def parts(risk: str, operates: Any) -> list[Part]:
    return [
        Part(ControlType(kind), s, operates(kind, Proof(proof)) if callable(operates) else operates)
        for kind, s, proof in REGISTER[risk]["controls"]
    ]


def score(risk: str, them: list[Part]) -> float:
    return residual(REGISTER[risk]["likelihood"], REGISTER[risk]["impact"], them).score


@pytest.mark.parametrize(
    ("operates", "expected"),
    [
        pytest.param(0.0, (20.0, 15.0, 16.0, 15.0, 15.0), id="no evidence"),
        pytest.param(0.3, (18.6, 13.3, 14.7, 13.9, 14.0), id="paper only"),
        pytest.param(0.7, (15.8, 10.5, 12.1, 12.1, 12.2), id="tests only"),
        pytest.param(lambda _, proof: proof.cap, (13.4, 8.2, 9.7, 10.9, 11.0), id="best reachable"),
        pytest.param(1.0, (12.6, 7.7, 9.4, 10.4, 10.4), id="theoretical"),
    ],
)
def test_worked_postures_give_the_published_scores(operates: Any, expected: tuple[float]) -> None:
    assert tuple(score(risk, parts(risk, operates)) for risk in RISKS) == expected


def test_failing_rules_and_a_playbook_that_never_ran_show() -> None:
    blind = parts("R1", lambda kind, _: 0.0 if kind == "detective" else 1.0)
    idle = parts("R2", lambda kind, _: 0.0 if kind == "responsive" else 1.0)

    assert score("R1", blind) == 15.5
    assert score("R2", idle) == 8.3
    assert residual(3, 5, idle).responds == 0


@pytest.mark.parametrize(
    ("by", "expected"),
    [(-BAND, (16.1, 11.0, 12.2, 12.7, 12.8)), (BAND, (9.8, 5.4, 6.9, 8.7, 8.6))],
    ids=["weaker", "stronger"],
)
def test_strengths_off_by_the_band_give_the_published_scores(
    by: float, expected: tuple[float]
) -> None:
    best = {risk: shifted(parts(risk, lambda _, proof: proof.cap), by) for risk in RISKS}

    assert tuple(score(risk, best[risk]) for risk in RISKS) == expected


@pytest.mark.parametrize(
    ("days", "expected"),
    [(0, 1), (30, 1), (45, 0.5), (60, 0), (600, 0)],
    ids=["new", "at its age", "half over", "twice its age", "long ago"],
)
def test_freshness_falls_from_its_age_to_twice_that(days: int, expected: float) -> None:
    assert freshness(days * DAY, 30 * DAY) == expected


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        pytest.param([], 0.0, id="none"),
        pytest.param([Weighed(Proof.E0, 1)], 0.3, id="somebody signed"),
        pytest.param([Weighed(Proof.E4, 1)], 1.0, id="exercised"),
        pytest.param([Weighed(Proof.E4, 0.5), Weighed(Proof.E2, 1)], 0.7, id="falls back to tests"),
        pytest.param(
            [Weighed(Proof.E4, 1), Weighed(Proof.E1, 0)], 0.0, id="a requirement below is gone"
        ),
        pytest.param([Weighed(Proof.E4, 0), Weighed(Proof.E1, 1)], 0.5, id="only configured"),
        pytest.param(
            [Weighed(Proof.E3, 1), Weighed(Proof.NONE, 0)], 0.0, id="what must hold is gone"
        ),
        pytest.param([Weighed(Proof.NONE, 1)], 0.0, id="what must hold proves nothing"),
        pytest.param([Weighed(Proof.E3, 1), Weighed(Proof.E1, 0, failing=True)], 0.0, id="failing"),
        pytest.param(
            [Weighed(Proof.E1, 1), Weighed(Proof.E3, 0, required=False)],
            0.5,
            id="optional, missing",
        ),
        pytest.param(
            [Weighed(Proof.E1, 1), Weighed(Proof.E3, 1, required=False)], 0.9, id="optional, seen"
        ),
        pytest.param(
            [Weighed(Proof.E1, 1), Weighed(Proof.E3, 1, required=False, failing=True)],
            0.5,
            id="optional, failing",
        ),
    ],
)
def test_what_operates_is_what_fresh_evidence_proves(
    evidence: list[Weighed], expected: float
) -> None:
    assert operation(evidence) == expected


PIECES = st.lists(
    st.builds(
        Weighed,
        proof=st.sampled_from(list(Proof)),
        freshness=st.floats(0, 1),
        required=st.booleans(),
        failing=st.booleans(),
    ),
    min_size=1,
    max_size=6,
)
SHARES = st.floats(0, 1)


@given(PIECES, st.data())
def test_evidence_that_passes_after_all_never_lowers_what_operates(
    pieces: list[Weighed], data: st.DataObject
) -> None:
    better = [
        piece._replace(
            freshness=data.draw(st.floats(piece.freshness, 1)),
            failing=piece.failing and data.draw(st.booleans()),
        )
        for piece in pieces
    ]

    assert operation(better) >= operation(pieces)


@given(
    st.integers(1, 5),
    st.integers(1, 5),
    st.lists(st.builds(Part, st.sampled_from(list(ControlType)), SHARES, SHARES), max_size=8),
    st.data(),
)
def test_more_operation_never_raises_what_is_left(
    likelihood: int, impact: int, them: list[Part], data: st.DataObject
) -> None:
    better = [part._replace(operation=data.draw(st.floats(part.operation, 1))) for part in them]

    left, less = (residual(likelihood, impact, some) for some in (them, better))

    assert less.likelihood <= left.likelihood + 1e-9
    assert less.impact <= left.impact + 1e-9
    assert 1 <= less.score <= left.score <= likelihood * impact


@given(st.integers(1, 5), st.integers(1, 5), st.lists(st.sampled_from(list(ControlType))))
def test_without_evidence_what_is_left_is_all(
    likelihood: int, impact: int, types: list[ControlType]
) -> None:
    them = [Part(kind, 1.0, operation([])) for kind in types]

    assert residual(likelihood, impact, them).score == likelihood * impact


@given(st.lists(st.builds(Weighed, st.just(Proof.E0), SHARES), max_size=5))
def test_signatures_never_count_for_more_than_three_tenths(pieces: list[Weighed]) -> None:
    assert operation(pieces) <= 0.3
