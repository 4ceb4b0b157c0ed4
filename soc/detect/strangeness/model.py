"""A profile that learned from a reference: it scores rows and says why."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from soc.detect.strangeness.combine import SPOKEN
from soc.detect.strangeness.member import Fitted
from soc.detect.strangeness.profile import Profile
from soc.detect.strangeness.rows import Matrix, Vector, check, check_enough
from soc.detect.strangeness.scale import Scale, scale_of

SEED = 2015
REFERENCE = 10_000
"""Rows that are kept to learn from; of more, a random part."""
BATCH = 50_000
REASONS = 3
REASONED = 0.95
"""Reasons are given from this share of the reference on: what is usual needs none."""
LEAST_AWAY = 1.0
"""A column within one deviation of its centre is no reason."""


@dataclass(frozen=True, slots=True)
class Reason:
    """A column that is far from what is usual, and the member that spoke loudest."""

    member: str
    column: str
    value: float
    low: float
    high: float

    def __str__(self) -> str:
        usual = f"{self.low:.4g}" if self.low == self.high else f"{self.low:.4g} to {self.high:.4g}"
        return f"{self.column}: {self.value:.4g}; usual is {usual} ({self.member})"


@dataclass(frozen=True, slots=True)
class Opinions:
    """What was said of rows: by each member in the same units, and by all."""

    voices: Matrix
    scores: Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """reference: the rows it learned from. kept: where they stood among those it was given.

    of: how many it was given. usual: what it thinks of its own reference.
    """

    profile: Profile
    columns: tuple[str, ...]
    seed: int
    weights: tuple[float, ...]
    reference: Matrix
    kept: npt.NDArray[np.intp]
    of: int
    scale: Scale
    fitted: tuple[Fitted, ...]
    usual: Opinions

    def judge(self, rows: Matrix) -> Opinions:
        """Return what is thought of *rows*; raises Refused for what is no number."""
        check(rows, self.columns)
        voices = np.empty((len(rows), len(self.fitted)))
        speak = SPOKEN[self.profile.combination]
        for begin in range(0, len(rows), BATCH):
            scaled = self.scale.apply(rows[begin : begin + BATCH])
            for place, one in enumerate(self.fitted):
                voices[begin : begin + BATCH, place] = speak(one.score(scaled), one.usual)
        return Opinions(voices, voices @ self.weights)

    def score(self, rows: Matrix) -> Vector:
        """Return how strange each row is: higher is stranger, and 0 or so is usual."""
        return self.judge(rows).scores

    def share(self, scores: Vector) -> Vector:
        """Return for each score the share of the reference that is less strange."""
        return np.searchsorted(np.sort(self.usual.scores), scores, side="left") / len(self.kept)

    def explain(self, row: Matrix) -> tuple[Reason, ...]:
        """Return why *row* is strange, the furthest column first; nothing if it is not."""
        rows = row.reshape(1, -1)
        (told,) = self.reasons(rows, self.judge(rows))
        return told

    def reasons(self, rows: Matrix, opinions: Opinions) -> Sequence[tuple[Reason, ...]]:
        """Return reasons for each row: none for what is as usual as most of the reference."""
        told: list[tuple[Reason, ...]] = [()] * len(rows)
        strange = np.flatnonzero(self.share(opinions.scores) >= REASONED)
        loudest = (opinions.voices[strange] * self.weights).argmax(axis=1)
        scaled = self.scale.apply(rows[strange])
        for place, one in enumerate(self.fitted):
            mine = np.flatnonzero(loudest == place)
            blame = np.where(np.abs(scaled[mine]) < LEAST_AWAY, -np.inf, one.blame(scaled[mine]))
            order = np.argsort(-blame, axis=1, kind="stable")[:, :REASONS]
            for at, worst, blamed in zip(strange[mine], order, blame, strict=True):
                told[at] = tuple(self._reasons(place, rows[at], worst[blamed[worst] > -np.inf]))
        return told

    def _reasons(self, place: int, row: Matrix, worst: Iterable[int]) -> Iterable[Reason]:
        member, scale = self.profile.members[place].name, self.scale
        for i in worst:
            yield Reason(
                member, self.columns[i], float(row[i]), float(scale.low[i]), float(scale.high[i])
            )

    def weighed(self, weights: Sequence[float]) -> "Model":
        """Return the same with other *weights* of its members."""
        usual = Opinions(self.usual.voices, self.usual.voices @ np.array(weights))
        return replace(self, weights=tuple(weights), usual=usual)


def fit(profile: Profile, rows: Matrix, columns: Sequence[str], seed: int = SEED) -> Model:
    """Return *profile* as it learned from *rows*; raises Refused if nothing can be learned.

    Up to 10,000 rows their order is immaterial; of more, a random part is taken.
    """
    check(rows, columns)
    check_enough(rows)
    kept = np.arange(len(rows))
    if len(rows) > REFERENCE:
        kept = np.random.default_rng(seed).choice(len(rows), REFERENCE, replace=False)
    kept = kept[np.lexsort(rows[kept].T)]
    reference = rows[kept]
    scale = scale_of(reference, by_size=profile.by_size)
    scaled = scale.apply(reference)
    fitted = tuple(member.fit(scaled, seed) for member in profile.members)
    speak = SPOKEN[profile.combination]
    voices = np.stack([speak(one.usual, one.usual) for one in fitted], axis=1)
    return Model(
        profile=profile,
        columns=tuple(columns),
        seed=seed,
        weights=profile.weights,
        reference=reference,
        kept=kept,
        of=len(rows),
        scale=scale,
        fitted=fitted,
        usual=Opinions(voices, voices @ profile.weights),
    )


def among(model: Model, rows: Matrix) -> Opinions:
    """Return what *model* thinks of the *rows* it was fitted on, each as if it were not there."""
    told = model.judge(rows)
    voices = told.voices
    voices[model.kept] = model.usual.voices
    return Opinions(voices, voices @ model.weights)
