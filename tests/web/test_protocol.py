"""What an answer consists of goes out as one piece."""

import asyncio
from dataclasses import dataclass, field
from typing import cast

from soc.web.protocol import Joined


@dataclass
class Wire:
    """A transport that notes what is done to it."""

    done: list[bytes | str] = field(default_factory=list)
    is_over: bool = False

    def write(self, data: bytes) -> None:
        self.done.append(data)

    def close(self) -> None:
        self.done.append("closed")

    def is_closing(self) -> bool:
        return self.is_over


def joined(wire: Wire) -> Joined:
    return Joined(cast(asyncio.Transport, wire), asyncio.get_running_loop())


def test_what_is_written_in_one_turn_of_the_loop_is_one_piece() -> None:
    async def answer() -> list[bytes | str]:
        wire = Wire()
        transport = joined(wire)
        transport.write(b"head ")
        transport.write(b"body")
        await asyncio.sleep(0)
        transport.write(b"more")
        await asyncio.sleep(0)
        return wire.done

    assert asyncio.run(answer()) == [b"head body", b"more"]


def test_no_more_than_one_piece_is_held_back() -> None:
    async def answer() -> list[bytes | str]:
        wire = Wire()
        transport = joined(wire)
        for piece in (b"a", b"b", b"c", b"d", b"e"):
            transport.write(piece)
        return list(wire.done)  # of this turn

    assert asyncio.run(answer()) == [b"ab", b"cd"]


def test_what_was_written_is_sent_before_the_end() -> None:
    async def answer() -> list[bytes | str]:
        wire = Wire()
        transport = joined(wire)
        transport.write(b"last")
        transport.close()
        await asyncio.sleep(0)
        return wire.done

    assert asyncio.run(answer()) == [b"last", "closed"]


def test_nothing_is_sent_to_who_is_gone() -> None:
    async def answer() -> list[bytes | str]:
        wire = Wire()
        joined(wire).write(b"too late")
        wire.is_over = True
        await asyncio.sleep(0)
        return wire.done

    assert asyncio.run(answer()) == []
