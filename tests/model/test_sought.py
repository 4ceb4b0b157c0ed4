"""What is sought is found by Hyperscan and by RE2 alike."""

import pytest

from soc.model.sought import Sought

NUMBERS = (rb"[:,\[\s]-?[0-9]+(\.[0-9]*)?[eE]", rb"[0-9]{64}")
HELD = {
    "an exponent": (b'{"a": 1e5}', True),
    "an exponent in a text": (b'{"a":"1e5"}', False),
    "as many digits": (b"9" * 64, True),
    "fewer digits": (b"9" * 63, False),
    "octets that are no text": (b"\x00\xff:1E", True),
    "nothing": (b"", False),
}


@pytest.mark.parametrize(("octets", "is_held"), HELD.values(), ids=HELD)
@pytest.mark.parametrize("has_hyperscan", [True, False])
def test_what_is_held(octets: bytes, is_held: bool, has_hyperscan: bool) -> None:
    sought = Sought(*NUMBERS)
    if not has_hyperscan:
        sought._database = None

    assert sought.is_in(octets) is is_held
    assert sought.is_in(memoryview(octets)) is is_held
