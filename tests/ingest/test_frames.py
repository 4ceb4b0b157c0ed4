"""A stream of syslog is cut into the same messages wherever the network cuts it."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc.ingest.listen.frames import BROKEN_OFF, CUT, LONGEST, Frame, Frames

STREAMS = {
    "lines": (b"<13>a\n<13>b\r\n\n<13>c", [b"<13>a", b"<13>b", b"<13>c"]),
    "octets": (b"5 <13>a7 <13>b\nc", [b"<13>a", b"<13>b\nc"]),
    "both on one connection": (b"<13>a\n5 <13>b<13>c\n", [b"<13>a", b"<13>b", b"<13>c"]),
    "a line that ends with NUL": (b"<13>a\0\n", [b"<13>a"]),
    "octets with the line's end counted": (b"6 <13>a\n6 <13>b\n", [b"<13>a", b"<13>b"]),
    "a line that begins with digits": (b"12345678 x\n5x\n", [b"12345678 x", b"5x"]),
    "a count that begins with nought": (b"05 <13>a\n", [b"05 <13>a"]),
    "nothing": (b"\n\r\n \0", []),
}


@pytest.mark.parametrize(("stream", "messages"), STREAMS.values(), ids=STREAMS)
@given(cuts=st.lists(st.integers(0, 40), max_size=6))
def test_the_cuts_of_the_network_do_not_matter(
    stream: bytes, messages: list[bytes], cuts: list[int]
) -> None:
    places = [0, *sorted(cuts), len(stream)]
    frames = Frames()

    found = [frame for begin, end in pairwise(places) for frame in frames.feed(stream[begin:end])]
    found += frames.end()

    assert found == [Frame(message) for message in messages]


LONG = {
    "a line": b"x" * (LONGEST + 5) + b"\n<13>after\n",
    "octets": b"%d " % (LONGEST + 5) + b"x" * (LONGEST + 5) + b"<13>after\n",
}


@pytest.mark.parametrize("stream", LONG.values(), ids=LONG)
@pytest.mark.parametrize("size", [1000, LONGEST, 10**6])
def test_of_a_message_too_long_the_beginning_is_kept_and_the_next_is_found(
    stream: bytes, size: int
) -> None:
    frames = Frames()

    found = [f for at in range(0, len(stream), size) for f in frames.feed(stream[at : at + size])]

    assert found == [Frame(b"x" * LONGEST, CUT), Frame(b"<13>after")]


def test_octets_that_never_came_are_told() -> None:
    frames = Frames()
    assert list(frames.feed(b"20 <13>half")) == []

    assert list(frames.end()) == [Frame(b"20 <13>half", BROKEN_OFF)]


@given(st.lists(st.binary(max_size=50), max_size=20))
def test_whatever_comes_no_more_is_kept_than_came(chunks: list[bytes]) -> None:
    frames = Frames()

    found = [frame for chunk in chunks for frame in frames.feed(chunk)]
    found += frames.end()

    assert sum(len(frame.data) for frame in found) <= sum(map(len, chunks))
