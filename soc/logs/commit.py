"""Group commit: what many threads want written at once is written, and synced, once."""

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Generic, TypeVar

from soc.errors import LogError, SocError

Given = TypeVar("Given")
Done = TypeVar("Done")

MOST = 64
"""Callers that are joined at once."""


class _Ticket(Generic[Given, Done]):
    def __init__(self, given: Given) -> None:
        self.given = given
        self.done: Done | None = None
        self.failed: SocError | None = LogError("the write that this was part of broke off")
        self.is_over = False


class Commit(Generic[Given, Done]):
    """Joins the callers that wait: whoever comes first writes for all of them.

    write: returns what became of each; an error of ours that it raises is raised to every caller of
    the group.
    """

    def __init__(self, write: Callable[[Sequence[Given]], Sequence[Done]]) -> None:
        self._write = write
        self._waiting: list[_Ticket[Given, Done]] = []
        self._door, self._turn = Lock(), Lock()

    def submit(self, given: Given) -> Done:
        """Return what became of *given*, when it is written."""
        ticket: _Ticket[Given, Done] = _Ticket(given)
        with self._door:
            self._waiting.append(ticket)
        with self._turn:
            while not ticket.is_over:
                self._serve()
        if ticket.failed:
            raise ticket.failed
        return ticket.done  # type: ignore[return-value]  # set wherever failed is not

    def _serve(self) -> None:
        with self._door:
            group, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        try:
            results = self._write([ticket.given for ticket in group])
            for ticket, result in zip(group, results, strict=True):
                ticket.done, ticket.failed = result, None
        except SocError as failed:
            for ticket in group:
                ticket.failed = failed
        finally:
            for ticket in group:
                ticket.is_over = True
