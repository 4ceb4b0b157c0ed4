"""What every member of a profile is."""

from typing import Protocol

from soc.detect.strangeness.rows import Matrix, Vector


class Fitted(Protocol):
    """What a member learned from its reference. Rows are scaled as the reference was."""

    @property
    def usual(self) -> Vector:
        """Scores of the reference rows: each, where it matters, as if it were not among them."""

    def score(self, rows: Matrix) -> Vector:
        """Return how strange each row is: higher is stranger, in units of its own."""

    def blame(self, rows: Matrix) -> Matrix:
        """Return what each column of each row adds to its strangeness, in units of its own."""


class Member(Protocol):
    """One way to tell what is strange: frozen options, and no state."""

    @property
    def name(self) -> str:
        """What it is called in reasons and reports."""

    def fit(self, rows: Matrix, seed: int) -> Fitted:
        """Learn what is usual; the same rows in the same order and seed teach the same."""
