"""Reckon anew what incidents put at risk, a few at a time."""

from collections.abc import Callable

from soc.app.suite import Suite
from soc.clock import monotonic
from soc.funding.book import Book
from soc.incidents import money
from soc.incidents.severity import raise_by_roles
from soc.store.session import reading, session

AT_ONCE = 50
"""Incidents of one look at most."""
SECONDS = 5.0
"""After this, a look begins with no further incident."""


class Assessing:
    """Assesses open incidents that changed, or whose round may have gone on."""

    def __init__(self, suite: Suite) -> None:
        self._suite = suite

    def look(self) -> list[int]:
        """Assess what is due; return the incidents that became more severe by it.

        Each round is read once, each incident is its own transaction, none of them a window's.
        """
        suite, settings = self._suite, self._suite.settings.incidents.money
        roles = suite.settings.incidents.roles
        began, as_of = monotonic(), suite.clock.now()
        raised = []
        with reading(suite.database) as looking:
            numbers = money.due(looking, settings, as_of, AT_ONCE)
        if not numbers:
            return []
        with reading(suite.database) as looking:
            book_of = remembered(lambda name: Book.of(looking, name, settings.pair_bound, as_of))
            for number in numbers:
                found = money.assess(looking, money.wallets_of(looking, number), book_of)
                with session(suite.database) as writing:
                    now = suite.clock.now()
                    by_roles = raise_by_roles(writing, number, roles, now)
                    by_money = money.settle(writing, number, found, settings, as_of, now)
                    if by_roles or by_money:
                        raised.append(number)
                if monotonic() - began > SECONDS:
                    break
        return raised


def remembered(ask: Callable[[str], Book | None]) -> Callable[[str], Book | None]:
    """Return *ask* that is asked once for each round."""
    known: dict[str, Book | None] = {}

    def answer(name: str) -> Book | None:
        if name not in known:
            known[name] = ask(name)
        return known[name]

    return answer
