"""A fitted model as plain arrays: what it learned from, and how. Learning again restores it."""

import json
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from soc.detect.strangeness.model import Model, fit
from soc.detect.strangeness.profile import profile_of
from soc.errors import Refused

FORM = "commonwatch.strangeness/1"
ALIKE = 1e-3
"""Members that count in single precision may differ by so much on another processor."""


def arrays_of(model: Model) -> Mapping[str, npt.NDArray[np.generic]]:
    """Return *model* as arrays that ``numpy.savez`` takes and ``allow_pickle=False`` reads."""
    about = {
        "form": FORM,
        "profile": model.profile.name,
        "columns": model.columns,
        "seed": model.seed,
        "weights": model.weights,
    }
    return {
        "about": np.frombuffer(json.dumps(about, sort_keys=True).encode(), np.uint8),
        "reference": model.reference,
        "usual": model.usual.scores,
    }


def restored(arrays: Mapping[str, npt.NDArray[np.generic]]) -> Model:
    """Return the model that ``arrays_of`` wrote down, fitted again on the rows it learned from.

    Raises Refused for what is no such thing, or comes out otherwise here.
    """
    try:
        about = json.loads(arrays["about"].astype(np.uint8).tobytes())
        reference, usual = (arrays[name].astype(np.float64) for name in ("reference", "usual"))
        if about["form"] != FORM:
            raise Refused(f"a model of form {about['form']}: this reads {FORM}")
        columns, weights = tuple(map(str, about["columns"])), tuple(map(float, about["weights"]))
        profile, seed = profile_of(str(about["profile"])), int(about["seed"])
    except (KeyError, TypeError, ValueError) as wrong:
        raise Refused(f"no model that was kept here: {wrong!r}") from wrong
    if len(weights) != len(profile.members):
        raise Refused(f"{len(weights)} weights for the {len(profile.members)} of {profile.name}")
    again = fit(profile, reference, columns, seed).weighed(weights)
    if usual.shape != again.usual.scores.shape or not np.allclose(
        usual, again.usual.scores, rtol=ALIKE, atol=ALIKE
    ):
        raise Refused(f"{profile.name} learns otherwise in this version: fit it again")
    return again
