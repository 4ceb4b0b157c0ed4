"""Conditions of correlations, and numbers as they are shown."""

from fractions import Fraction
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sigma.exceptions import SigmaRuleLocation

from soc.detect.sigma.compile import parse
from soc.detect.sigma.text import exactly
from soc.detect.sigma.threshold import Expression, shown
from soc.detect.sigma.ways import ways_of

AT = SigmaRuleLocation(Path("rule.yml"), 1)
NAMES = ("a", "b-c", "notepad")
SETS = [frozenset(some) for n in range(4) for some in combinations(NAMES, n)]


def texts(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.tuples(inner, inner)
    return st.one_of(
        pairs.map(lambda two: f"({two[0]} and {two[1]})"),
        pairs.map(lambda two: f"({two[0]} or {two[1]})"),
        inner.map(lambda one: f"not ({one})"),
    )


@given(st.recursive(st.sampled_from(NAMES), texts, max_leaves=6))
def test_an_expression_holds_as_its_words_say(text: str) -> None:
    expression = Expression(ways_of(parse(text, AT)))

    for present in SETS:
        values = {name.replace("-", "_"): name in present for name in NAMES}
        said = eval(text.replace("-", "_"), {}, values)

        assert expression.holds(present) is said


def test_an_expression_with_too_many_ways_is_refused() -> None:
    text = " and ".join(f"(a{n} or b{n})" for n in range(7))

    with pytest.raises(OverflowError, match="more than 64 ways"):
        ways_of(parse(text, AT))


@pytest.mark.parametrize(
    ("number", "text"),
    [
        pytest.param(3, "3", id="whole"),
        pytest.param(Fraction(5, 2), "2.5", id="decimal"),
        pytest.param(Fraction(-1, 3), "-0.333333", id="endless"),
        pytest.param(Fraction(10**40) + Fraction(1, 4), f"{10**40}.25", id="beyond a float"),
        pytest.param(Fraction(2), "2", id="whole fraction"),
    ],
)
def test_numbers_are_shown_as_decimals(number: int | Fraction, text: str) -> None:
    assert shown(number) == text


@pytest.mark.parametrize(
    ("value", "number"),
    [
        pytest.param("0.1", Fraction(1, 10), id="decimal text"),
        pytest.param(0.1, Fraction(1, 10), id="a float is what is written"),
        pytest.param(1e300, Fraction(10**300), id="a large float"),
        pytest.param("9" * 78, Fraction(10**78 - 1), id="the largest amount"),
        pytest.param(True, None, id="a truth value"),
        pytest.param("0x10", None, id="hexadecimal"),
        pytest.param("", None, id="empty"),
        pytest.param(float("inf"), None, id="infinite"),
    ],
)
def test_numbers_are_read_exactly(value: object, number: Fraction | None) -> None:
    assert exactly(value) == number
