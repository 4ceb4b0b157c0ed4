"""What is to be foretold, and the rows to learn it from: features before a moment, target after.

A row is a user at a moment T: features as of T, and what the user did from T until the window is
over. Rows of several moments are kept apart by time, those of one user by group.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from soc.content.kinds import duration_text
from soc.errors import Refused, Unfit
from soc.intelligence.features.build import Frame, build
from soc.intelligence.features.definitions import FEATURES, Feature
from soc.intelligence.view.gather import ask
from soc.intelligence.view.keep import View
from soc.model.value import micros

Matrix = npt.NDArray[np.float64]
LEAST_ROWS = 100
LEAST_OF_A_CLASS = 10
FEWEST, MOST = 3, 24
"""Moments: two to learn from and one to judge by, at least."""


class Kind(StrEnum):
    """What the target is. regression: a number. classification: no (0) or yes (1)."""

    REGRESSION = "regression"
    CLASSIFICATION = "classification"


@dataclass(frozen=True, slots=True)
class Task:
    """What is asked. above: of a classification, the amount that must be exceeded in the window."""

    name: str
    kind: Kind
    window: timedelta
    above: float = 0.0

    @property
    def question(self) -> str:
        """The question in words."""
        if self.kind is Kind.REGRESSION:
            return f"How much will a user give within {duration_text(self.window)}?"
        if not self.above:
            return f"Will a user give again within {duration_text(self.window)}?"
        return f"Will a user give more than {self.above:g} within {duration_text(self.window)}?"


TASKS = {
    "lifetime-value": Kind.REGRESSION,
    "returns": Kind.CLASSIFICATION,
    "high-value": Kind.CLASSIFICATION,
}
"""lifetime-value: the amount given in the next window, which is what the sprint notebook meant."""


@dataclass(frozen=True, slots=True)
class Data:
    """Rows to learn from. X: features, NaN where one has no answer. y: the target.

    last: the same quantity in the window before T, which is all that a simple forecast needs.
    wallets: whose row it is. moments: T in microseconds, ascending. suspicious: known at T.
    """

    task: Task
    features: tuple[Feature, ...]
    X: Matrix
    y: Matrix
    last: Matrix
    wallets: npt.NDArray[np.str_]
    moments: npt.NDArray[np.int64]
    suspicious: npt.NDArray[np.bool_]
    schema: str
    currency: str

    def __len__(self) -> int:
        return len(self.y)

    @property
    def names(self) -> list[str]:
        """The names of the columns of X."""
        return [feature.name for feature in self.features]


def task_of(name: str, window: timedelta, above: float) -> Task:
    """Return the task called *name*; raises Refused for what is no task."""
    if name not in TASKS:
        raise Refused(f"--task: write one of {', '.join(TASKS)}")
    if window <= timedelta(0):
        raise Refused("--window: write a time above 0, such as 7d")
    if name == "high-value" and above <= 0:
        raise Refused(
            "--above: say from which amount on it is high; a quantile of the same amounts would be "
            "true by construction"
        )
    return Task(name, TASKS[name], window, above if name == "high-value" else 0.0)


def moments_of(view: View, task: Task, number: int) -> list[datetime]:
    """Return *number* moments, a window apart, the last one a window before the newest event.

    Raises Refused for too few, and Unfit if the history is too short for them.
    """
    if not FEWEST <= number <= MOST:
        raise Refused(f"--moments: write {FEWEST} to {MOST}")
    made = view.transactions["made"]
    if not len(made):
        raise Unfit("the view has no transaction")
    begin, end = min(made.to_pylist()), max(made.to_pylist())
    found = [end - task.window * (number - n) for n in range(number)]
    if found[0] <= begin:
        have, apart = (end - begin) // task.window, duration_text(task.window)
        raise Unfit(
            f"{number} moments a window of {apart} apart need more than {number} windows of "
            f"history, and there are {have}: choose a shorter --window or fewer --moments"
        )
    return found


def dataset(
    view: View,
    task: Task,
    moments: Sequence[datetime],
    currency: str | None = None,
    decimals: int = 0,
    features: Sequence[Feature] = FEATURES,
) -> Data:
    """Return the rows of all *moments*; raises Unfit where nothing can be learned from them."""
    parts = []
    for moment in moments:
        frame = build(view, moment, currency, features, decimals)
        after = _given(view, frame, moment, moment + task.window, decimals)
        before = _given(view, frame, moment - task.window, moment, decimals)
        parts.append((frame, after, before))
    amounts = np.concatenate([after for _, after, _ in parts])
    last = np.concatenate([before for *_, before in parts])
    is_class = task.kind is Kind.CLASSIFICATION
    data = Data(
        task=task,
        features=tuple(features),
        X=np.concatenate([matrix_of(frame) for frame, *_ in parts]),
        y=(amounts > task.above).astype(np.float64) if is_class else amounts,
        last=(last > task.above).astype(np.float64) if is_class else last,
        wallets=np.concatenate([np.array(frame.table["wallet"]) for frame, *_ in parts]),
        moments=np.concatenate(
            [np.full(frame.table.num_rows, micros(frame.as_of)) for frame, *_ in parts]
        ),
        suspicious=np.concatenate([np.array(frame.table["is_suspicious"]) for frame, *_ in parts]),
        schema=parts[0][0].schema,
        currency=parts[0][0].currency,
    )
    check(data)
    return data


def check(data: Data) -> None:
    """Raise Unfit, with counts and what is needed, if *data* cannot be learned from."""
    if len(data) < LEAST_ROWS:
        raise Unfit(f"too few rows: {len(data)}; at least {LEAST_ROWS} are needed")
    if infinite := [n for n, c in zip(data.names, data.X.T, strict=True) if np.isinf(c).any()]:
        raise Unfit(f"infinite values in {', '.join(infinite)}")
    if not np.isfinite(data.y).all():
        raise Unfit(f"the target has {np.sum(~np.isfinite(data.y))} values that are no number")
    flat = [n for n, column in zip(data.names, data.X.T, strict=True) if _is_constant(column)]
    if flat:
        raise Unfit(f"constant columns: {', '.join(flat)}: leave them out with --without")
    pairs = np.char.add(data.wallets, data.moments.astype(str))
    if twice := len(data) - len(np.unique(pairs)):
        raise Unfit(f"duplicate ids: {twice} rows are of a user and moment seen before")
    if data.task.kind is Kind.CLASSIFICATION:
        yes = int(data.y.sum())
        if min(yes, len(data) - yes) < LEAST_OF_A_CLASS:
            raise Unfit(
                f"{yes} rows are yes and {len(data) - yes} are no: "
                f"at least {LEAST_OF_A_CLASS} of each are needed"
            )


def _is_constant(column: Matrix) -> bool:
    there = column[~np.isnan(column)]
    return len(there) == 0 or (len(there) == len(column) and bool(np.all(there == there[0])))


def matrix_of(frame: Frame) -> Matrix:
    """Return the features of *frame*, a row per user; NaN where one has no answer."""
    columns = [frame.table[name].to_numpy() for name in frame.names]
    return np.column_stack(columns).astype(np.float64)


def _given(view: View, frame: Frame, begin: datetime, end: datetime, decimals: int) -> Matrix:
    """Return what each user of *frame* gave from *begin* until before *end*."""
    query = f"""
    SELECT frame.wallet, coalesce(sum(CAST(amount AS DOUBLE)), 0) / 1e{decimals} AS given
    FROM frame LEFT JOIN transactions ON transactions.wallet = frame.wallet
      AND epoch_us(made) >= {micros(begin)} AND epoch_us(made) < {micros(end)}
      AND currency = '{frame.currency.replace("'", "''")}'
    GROUP BY frame.wallet ORDER BY frame.wallet
    """  # noqa: S608 - numbers, and a quoted name
    found = ask(query, frame=frame.table.select(["wallet"]), transactions=view.transactions)
    return np.asarray(found["given"].to_numpy(), dtype=np.float64)
