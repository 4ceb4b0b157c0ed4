"""Users as rows to be grouped, without what would make what is told of groups true by itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from soc.errors import Refused
from soc.intelligence.carts import Flags
from soc.intelligence.clusters.sheet import Scaling, Sheet, sheet
from soc.intelligence.clusters.study import Study
from soc.intelligence.features.build import Frame

HIGH, SUSPECTED = "high value", "suspected"
AMOUNT, SUSPICION = "total_amount", "suspicious_ratio"


@dataclass(frozen=True, slots=True)
class Users:
    """Rows to be grouped. facts: of each user, what groups are asked about afterwards.

    left_out: features that are not compared, each with the reason.
    """

    sheet: Sheet
    facts: Mapping[str, Flags]
    left_out: Mapping[str, str]


def users(
    frame: Frame, without: Sequence[str], scaling: Scaling, above: float | None = None
) -> Users:
    """Return the users of *frame*; above: the total from which on one is of high value.

    What a group is asked about cannot be what made it: who asks about high value does without
    amounts, and suspicion is always asked about. Raises Refused and Unfit as `sheet` does.
    """
    if above is not None and not 0 < above < np.inf:
        raise Refused(f"--above {above}: write an amount above 0")
    left_out = dict.fromkeys(without, "left out by --without")
    left_out[SUSPICION] = "groups are asked about suspicion"
    facts = {SUSPECTED: frame.table["is_suspicious"].to_numpy()}
    if above is not None:
        amounts = {one.name: "groups are asked about amounts" for one in frame.features
                   if one.unit == "token"}  # fmt: skip
        left_out |= amounts
        facts[HIGH] = frame.table[AMOUNT].to_numpy() > above
    return Users(sheet(frame, tuple(left_out), scaling), facts, left_out)


def members(found: Study) -> pa.Table:
    """Return each wallet with its group, none if there are none, and its place in the plane."""
    groups = pa.array(found.labels if found.is_found else [None] * len(found.sheet), pa.int64())
    reached = np.full(len(found.sheet), None, dtype=object)
    reached[found.sampled] = found.dense.labels
    return pa.table(
        {
            "wallet": pa.array(found.sheet.wallets),
            "cluster": groups,
            "dense": pa.array(reached.tolist(), pa.int64()),
            "x": found.plane.points[:, 0],
            "y": found.plane.points[:, 1],
        }
    )
