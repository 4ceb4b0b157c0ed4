"""Let verdicts choose how much each member counts, once there are enough, and only if it helps."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from soc.detect.strangeness.measure import Labels, average_precision, check_both
from soc.detect.strangeness.rows import Matrix, Vector

NEEDED = 20
EACH = 4
"""Verdicts of each kind: a fold holds one of them out, and some must be left."""
FOLDS = 4
TIMES = 5
"""So often verdicts are dealt into folds anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighing:
    """What verdicts say of the weights; chosen: None while the profile's own hold, and why.

    before, after: average precision with the profile's weights and with chosen ones, each on
    verdicts that did not choose.
    """

    verdicts: int
    strange: int
    needed: int = NEEDED
    before: float | None = None
    after: float | None = None
    chosen: tuple[float, ...] | None = None
    why: str


def weigh(voices: Matrix, labels: Labels, weights: tuple[float, ...], seed: int) -> Weighing:
    """Return how much each member should count by *labels* of the rows that *voices* speak of.

    Raises Refused if there are enough verdicts and all say the same.
    """
    many, strange = len(labels), int(labels.sum())
    if many < NEEDED:
        why = f"{many} of {NEEDED} verdicts: the weights of the profile hold"
        return Weighing(verdicts=many, strange=strange, why=why)
    check_both(labels, "verdicts")
    if min(strange, many - strange) < EACH:
        why = f"{strange} strange and {many - strange} usual: at least {EACH} of each are needed"
        return Weighing(verdicts=many, strange=strange, why=f"{why}; the profile's weights hold")
    before, after = _held_out(voices, labels, weights, seed)
    helps = after > before
    return Weighing(
        verdicts=many,
        strange=strange,
        before=before,
        after=after,
        chosen=by_precision(voices, labels, weights) if helps else None,
        why="chosen by verdicts" if helps else "verdicts choose no better: the profile's hold",
    )


def by_precision(voices: Matrix, labels: Labels, weights: tuple[float, ...]) -> tuple[float, ...]:
    """Return weights by what each member's average precision is above chance.

    Their sum stays. If no member is above chance, *weights* stay.
    """
    chance = labels.mean()
    gain = np.array([average_precision(labels, voice) - chance for voice in voices.T])
    gain = np.maximum(gain, 0.0)
    if not gain.any():
        return weights
    return tuple(float(part) for part in gain / gain.sum() * sum(weights))


def _held_out(
    voices: Matrix, labels: Labels, weights: tuple[float, ...], seed: int
) -> tuple[float, float]:
    """Return average precision with *weights* and with chosen ones, by folds that chose nothing."""
    rng = np.random.default_rng(seed)
    before, after = [], []
    for _ in range(TIMES):
        for held in _folds(labels, rng):
            told, rest = labels[held], ~held
            chosen = by_precision(voices[rest], labels[rest], weights)
            before.append(average_precision(told, _said(voices[held], weights)))
            after.append(average_precision(told, _said(voices[held], chosen)))
    return float(np.mean(before)), float(np.mean(after))


def _said(voices: Matrix, weights: tuple[float, ...]) -> Vector:
    said: Vector = voices @ np.array(weights)
    return said


def _folds(labels: Labels, rng: np.random.Generator) -> Iterator[np.typing.NDArray[np.bool_]]:
    """Yield which verdicts are held out: each once, both kinds in every fold."""
    fold = np.empty(len(labels), dtype=np.intp)
    for kind in (0, 1):
        places = rng.permutation(np.flatnonzero(labels == kind))
        fold[places] = np.arange(len(places)) % FOLDS
    for number in range(FOLDS):
        yield fold == number
