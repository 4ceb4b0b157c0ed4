"""Cut a stream of syslog into messages: RFC 6587, both ways of framing on one connection."""

from collections.abc import Iterator
from typing import NamedTuple

LONGEST = 64 * 1024
"""Bytes of one message: RFC 5425 asks for 8,192."""
COUNT_DIGITS = 6
CUT = f"longer than {LONGEST} bytes: only its beginning is kept"
BROKEN_OFF = "the connection ended within this message"


class Frame(NamedTuple):
    """One message. reason: why it is not whole, or nothing."""

    data: bytes
    reason: str = ""


class Frames:
    """Cuts what comes over one connection; keeps at most one message and one reading of it.

    A message that begins with a digit is counted in octets, any other ends with its line.
    """

    def __init__(self) -> None:
        self._buffer = b""
        self._skip = 0
        """Octets of a message too long that are still to come."""
        self._skip_line = False

    def feed(self, chunk: bytes) -> Iterator[Frame]:
        """Yield the messages that *chunk* completes."""
        self._buffer += chunk
        while (frame := self._next()) is not None:
            if frame.data:
                yield frame

    def end(self) -> Iterator[Frame]:
        """Yield what was left when the connection ended."""
        rest, self._buffer = self._buffer.strip(b"\r\n\0 "), b""
        if rest and not self._skip and not self._skip_line:
            counted, _, _ = _count(rest)
            yield Frame(rest, BROKEN_OFF if counted is not None else "")

    def _next(self) -> Frame | None:
        if self._skip:
            gone = min(self._skip, len(self._buffer))
            self._buffer, self._skip = self._buffer[gone:], self._skip - gone
        if self._skip_line:
            _, ended, self._buffer = self._buffer.partition(b"\n")
            self._skip_line = not ended
        if self._skip or self._skip_line:
            return None
        self._buffer = self._buffer.lstrip(b"\r\n\0 ")
        if not self._buffer:
            return None
        count, start, unsure = _count(self._buffer)
        if unsure:
            return None
        return self._line() if count is None else self._counted(count, start)

    def _counted(self, count: int, start: int) -> Frame | None:
        if count > LONGEST:
            kept = self._buffer[start : start + LONGEST]
            if len(kept) < LONGEST:
                return None
            self._buffer, self._skip = self._buffer[start + LONGEST :], count - LONGEST
            return Frame(kept, CUT)
        if len(self._buffer) < start + count:
            return None
        data, self._buffer = self._buffer[start : start + count], self._buffer[start + count :]
        return Frame(data.rstrip(b"\r\n\0"))

    def _line(self) -> Frame | None:
        end = self._buffer.find(b"\n", 0, LONGEST + 1)
        if end >= 0:
            data, self._buffer = self._buffer[:end], self._buffer[end + 1 :]
            return Frame(data.rstrip(b"\r\0"))
        if len(self._buffer) <= LONGEST:
            return None
        data, self._buffer, self._skip_line = self._buffer[:LONGEST], self._buffer[LONGEST:], True
        return Frame(data, CUT)


def _count(data: bytes) -> tuple[int | None, int, bool]:
    """Return the count that *data* begins with, where its message starts, and if more must come."""
    head = data[: COUNT_DIGITS + 1]
    digits, space, _ = head.partition(b" ")
    if not digits.isdigit() or digits.startswith(b"0"):
        return None, 0, False
    if space:
        return int(digits), len(digits) + 1, False
    return None, 0, len(data) <= COUNT_DIGITS
