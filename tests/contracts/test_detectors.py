"""What every detector keeps to, whoever offers it."""

from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

from soc import plugins
from soc.content.folders import packaged
from soc.detect.detector import Detector
from soc.detect.rules import Rules
from soc.detect.sigma.load import load_rules
from soc.model.event import SCHEMA, Batch, Row, empty, to_table
from soc.model.value import EPOCH
from soc.settings import Detect

NOON = EPOCH + timedelta(days=20_000, hours=12)
DETECTORS: dict[str, Detector[Any]] = {
    name: kind(Detect()) for name, kind in plugins.load("soc.detectors").items()
}
DETECTORS["sigma"] = Rules(load_rules([packaged("rules")]), Detect())

pytestmark = pytest.mark.parametrize("name", DETECTORS)


def batch() -> Batch:
    rows = []
    for n in range(60):
        wallet, funder = f"0x{n % 15:040x}", f"0x{99:040x}"
        for dataset, other in (
            ("chain.transfer", wallet),
            ("chain.donation", None),
            ("funding.donation", None),
        ):
            rows.append(
                Row(
                    NOON + timedelta(seconds=n),
                    f'{{"event":{{"dataset":"{dataset}"}},"n":{n}}}',
                    "ecs",
                    dataset=dataset,
                    wallet=funder if other else wallet,
                    counterparty=other,
                    user_name=f"u{n % 3}",
                    src_ip="192.0.2.1",
                    project="p1",
                    amount="10",
                    tx_hash=f"0x{dataset}{n}" if n % 7 else f"0x{n}",
                )
            )
    table = to_table(rows, "src", NOON, ["default"] * len(rows))
    numbers = pa.array(range(1, len(rows) + 1), pa.int64())
    return Batch(table.set_column(0, SCHEMA.field("seq"), numbers), len(rows))


def test_it_declares_what_it_is(name: str) -> None:
    detector = DETECTORS[name]

    assert detector.name == name
    assert detector.rules
    assert detector.__doc__


def test_nothing_seen_is_nothing_said(name: str) -> None:
    detector = DETECTORS[name]

    observed = detector.observe(Batch(empty(), 0), detector.state(), NOON)

    assert observed.answers == ()
    assert observed.state == detector.state()


def test_it_answers_alike_when_asked_again_and_changes_nothing(name: str) -> None:
    detector = DETECTORS[name]
    state = detector.observe(batch(), detector.state(), NOON).state
    before = state.model_dump_json()

    first, second = (detector.observe(batch(), state, NOON) for _ in range(2))

    assert first == second
    assert state.model_dump_json() == before


def test_its_memory_survives_the_store(name: str) -> None:
    detector = DETECTORS[name]
    state = detector.observe(batch(), detector.state(), NOON).state

    assert detector.state.model_validate_json(state.model_dump_json()) == state


def test_its_findings_carry_its_own_rules(name: str) -> None:
    detector = DETECTORS[name]
    later = NOON + timedelta(days=1)
    observed = detector.observe(batch(), detector.state(), later)
    again = detector.observe(Batch(empty(), batch().upto), observed.state, later)

    for found in (*observed.findings, *again.findings):
        assert found.rule in detector.rules
