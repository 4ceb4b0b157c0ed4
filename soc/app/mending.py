"""Cancel a run together with all that it started: each in a transaction of its own."""

from soc.access.permissions import Principal
from soc.app.suite import Suite
from soc.respond.mending import cancel, children_of
from soc.store.session import reading, session


def cancel_all(suite: Suite, run: int, who: Principal, reason: str, *, undo: bool) -> list[int]:
    """Cancel *run* and the runs that it started; return the numbers of all that were.

    The run itself first, so that it starts nothing more. Raises NotFound, Illegal, AccessDenied.
    """
    cancelled: list[int] = []
    waiting = [run]
    while waiting:
        number = waiting.pop(0)
        with session(suite.database) as writing:
            cancel(writing, number, who, reason, suite.clock.now(), undo=undo)
        cancelled.append(number)
        with reading(suite.database) as looking:
            waiting += children_of(looking, number)
    return cancelled
