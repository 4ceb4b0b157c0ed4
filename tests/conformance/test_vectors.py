"""The vectors hold for our engine and for the plain evaluator, and are what they claim to be."""

import re
from collections import Counter

import pytest

from tests.conformance import hold
from tests.conformance.hold import EVALUATORS
from tests.conformance.mutate import FAULTS, ROOT, where
from tests.conformance.run import OURS, difference
from tests.conformance.vectors import Vector, read, vectors

VECTORS = read()
FEWEST, FEWEST_FAULTS = 120, 40
SECTIONS = {"Rules", "Modifiers", "Correlation"}


@pytest.mark.parametrize("evaluator", list(EVALUATORS))
@pytest.mark.parametrize("vector", VECTORS, ids=[one.id for one in VECTORS])
def test_a_vector_holds(vector: Vector, evaluator: str) -> None:
    assert hold.difference(vector, EVALUATORS[evaluator]) == ""


def test_there_are_enough_and_each_names_its_section() -> None:
    assert len(VECTORS) >= FEWEST
    assert [name for name, n in Counter(one.id for one in VECTORS).items() if n > 1] == []
    assert {one.section.partition(" / ")[0] for one in VECTORS} == SECTIONS
    assert [one.id for one in VECTORS if len(one.says) < 10 or not one.says.endswith(".")] == []


LETTERS, DIGITS = re.compile("[A-Za-z]+"), re.compile("[0-9]+")


def shape(value: object, *, is_key: bool = False) -> object:
    """Return *value* with one letter for each word in it and one digit for each number.

    Of a key, modifiers stay what they are.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return type(value).__name__, value < 0
    name, *modifiers = str(value).split("|") if is_key else [str(value)]
    return "|".join([DIGITS.sub("0", LETTERS.sub("a", name)), *modifiers])


SAID = {"id", "section", "says", "beyond"}
KEPT = {"type", "condition", "timespan", "refused", "hits"}
"""What stands under these is no literal."""


def structure(value: object) -> object:
    """Return *value* without its literals, in an order that does not depend on them."""
    if isinstance(value, dict):
        inside = [
            (shape(key, is_key=True), (key, one) if key in KEPT else structure(one))
            for key, one in value.items()
        ]
        return sorted(inside, key=repr)
    return [structure(one) for one in value] if isinstance(value, list) else shape(value)


def test_no_two_differ_only_in_literals() -> None:
    shapes: dict[str, list[str]] = {}
    for stem, written in vectors():
        told = {key: one for key, one in written.items() if key not in SAID}
        shapes.setdefault(repr(structure(told)), []).append(f"{stem}/{written['id']}")

    assert [alike for alike in shapes.values() if len(alike) > 1] == []


def test_every_fault_can_be_planted() -> None:
    """Each changes one place; ``make mutate-sigma`` shows that a vector notices it."""
    texts = {fault: where(fault, ROOT).read_text(encoding="utf-8") for fault in FAULTS}

    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= FEWEST_FAULTS
    assert [one.name for one, text in texts.items() if text.count(one.old) != 1] == []
    assert [one.name for one in FAULTS if one.old == one.new] == []


@pytest.mark.parametrize("wanted", ["modifiers/cidr", "correlation/chain", "values/date-bare"])
def test_the_command_line_says_the_same(wanted: str) -> None:
    """Another process reads the files, as it does for other engines."""
    (vector,) = (one for one in VECTORS if one.id == wanted)

    assert difference(vector, list(OURS)) == ""


def test_what_is_wrong_is_told() -> None:
    vector = VECTORS[0]

    assert "must hit" in difference(vector, ["true"])
    assert "ended with 1" in difference(vector, ["false"])
