"""Work in the background gives way to intake."""

import pytest

from soc.logs.yielding import BURST, LONGEST, Yielding


class Watched:
    """A clock and a counter that are set by hand; it notes for how long was waited."""

    def __init__(self) -> None:
        self.moment, self.given = 100.0, 7
        self.waited: list[float] = []
        self.yielding = Yielding(lambda: self.given, self.waited.append, lambda: self.moment)

    def work(self, seconds: float, came: int) -> None:
        self.moment += seconds
        self.given += came
        self.yielding.pause()


@pytest.mark.parametrize("came", [0, 1, BURST // 2])
def test_in_calm_the_next_piece_begins_at_once(came: int) -> None:
    watched = Watched()

    watched.work(0.5, came)

    assert watched.waited == []


def test_in_a_burst_a_quarter_of_the_time_is_worked() -> None:
    watched = Watched()

    watched.work(0.5, BURST)

    assert watched.waited == [1.5]


def test_the_work_comes_to_its_end_however_long_a_burst_lasts() -> None:
    watched = Watched()

    watched.work(60, 100 * BURST)

    assert watched.waited == [LONGEST]


def test_each_piece_is_judged_by_what_came_meanwhile() -> None:
    watched = Watched()

    watched.work(0.1, BURST)
    watched.work(0.5, 1)
    watched.work(0.1, BURST)

    assert watched.waited == [pytest.approx(0.3), pytest.approx(0.3)]
