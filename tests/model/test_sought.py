"""What is sought is found by Hyperscan and by RE2 alike."""

import pytest

from soc.model.sought import Sought

EXPONENT, DIGITS = rb"[0-9]e\+?[0-9]{3,}\s*[,}\]]", rb"[0-9]{64}"
HELD = {
    "an exponent": (EXPONENT, b'{"a":1e500}', True),
    "an exponent with a sign": (EXPONENT, b'{"a":1.5e+0500 }', True),
    "a small exponent": (EXPONENT, b'{"a":1e50}', False),
    "an exponent below nought": (EXPONENT, b'{"a":1e-500}', False),
    "an exponent in a text": (EXPONENT, b'{"a":"1e500"}', False),
    "as many digits": (DIGITS, b"9" * 64, True),
    "fewer digits": (DIGITS, b"9" * 63, False),
    "octets that are no text": (EXPONENT, b"\x00\xff1e999]", True),
    "nothing": (EXPONENT, b"", False),
}


@pytest.mark.parametrize(("expression", "octets", "is_held"), HELD.values(), ids=HELD)
@pytest.mark.parametrize("has_hyperscan", [True, False])
def test_what_is_held(expression: bytes, octets: bytes, is_held: bool, has_hyperscan: bool) -> None:
    sought = Sought(expression)
    if not has_hyperscan:
        sought._database = None

    assert sought.is_in(octets) is is_held
    assert sought.is_in(memoryview(octets)) is is_held
