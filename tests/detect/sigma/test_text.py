import sys

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from soc.detect.sigma.text import number_of
from soc.model.text import fold


@given(st.text())
def test_folding_keeps_the_length_and_is_done_once(text: str) -> None:
    assert len(fold(text)) == len(text)
    assert fold(fold(text)) == fold(text)


def test_patterns_and_texts_have_one_idea_of_case() -> None:
    """What re2 takes for the same letter is folded to the same letter."""
    letters = (chr(code) for code in range(0x80, sys.maxunicode + 1))
    folded = [(one, fold(one)) for one in letters if not 0xD800 <= ord(one) < 0xE000]
    pairs = [(one, other) for one, other in folded if one != other]

    assert len(pairs) > 1000
    assert [p for p in pairs if not re2.fullmatch(f"(?i){re2.escape(p[0])}", p[1])] == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (7, 7),
        ("007", 7),
        ("-1.5", -1.5),
        ("", None),
        ("1.", None),
        (".5", None),
        ("--1", None),
        ("1_000", None),
        (" 1", None),
        ("²", None),
        ("9" * 5000, None),
        (True, None),
        (None, None),
    ],
)
def test_only_decimal_text_is_a_number(value: object, expected: float | None) -> None:
    assert number_of(value) == expected
