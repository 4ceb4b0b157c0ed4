"""Answers that take long: worked out beside, once for all who ask, and shown again for a time."""

from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Generic, TypeVar

from soc.clock import Clock
from soc.errors import Busy

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Made(Generic[Answer]):
    """An answer. at: when it was begun. about: of what state of things it speaks."""

    at: datetime
    about: Hashable
    answer: Answer


class Later(Generic[Answer]):
    """One question whose answer is made by a thread of its own, one at a time.

    An answer is shown again for *good_for* while what it is about stays the same.
    """

    def __init__(
        self, name: str, make: Callable[[], Answer], clock: Clock, good_for: timedelta
    ) -> None:
        self._name, self._make, self._clock, self._good_for = name, make, clock, good_for
        self._lock = Lock()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="later")
        self._made: Made[Answer] | None = None
        self._making: Future[Made[Answer]] | None = None

    def ask(self, patience: float, about: Hashable = None) -> Made[Answer]:
        """Return the answer, waited for at most *patience* seconds, else the one before.

        Raises Busy while there is none yet, and what went wrong where none can be made.
        """
        with self._lock:
            made = self._made
            if made and made.about == about and self._is_good(made):
                return made
            if self._making is None:
                self._making = self._pool.submit(self._work, about)
            making = self._making
        if not wait([making], patience).done:
            if made is None:
                raise Busy(f"{self._name} are being read: ask again in a moment")
            return made
        return making.result()

    def _is_good(self, made: Made[Answer]) -> bool:
        return made.at <= self._clock.now() < made.at + self._good_for

    def _work(self, about: Hashable) -> Made[Answer]:
        try:
            begun = self._clock.now()
            made = Made(begun, about, self._make())
            with self._lock:
                self._made = made
            return made
        finally:
            with self._lock:
                self._making = None
