"""What is found in the users of an installation: groups, tastes, and what goes together."""

from collections.abc import Sequence
from datetime import datetime

from soc.app.studies import view
from soc.app.suite import Suite
from soc.intelligence.association.pairs import Tested, examine
from soc.intelligence.association.shuffle import shuffled
from soc.intelligence.carts import Carts, carts
from soc.intelligence.clusters.sheet import Scaling
from soc.intelligence.clusters.study import Profile, Study, profiles, study
from soc.intelligence.clusters.users import Users, users
from soc.intelligence.features.build import Frame
from soc.intelligence.recommend.suggest import Suggested, recommend


def clusters(
    frame: Frame, *, without: Sequence[str], scaling: Scaling, above: float | None, seed: int
) -> tuple[Users, Study, list[Profile]]:
    """Return the groups among the users of *frame*; raises Refused and Unfit."""
    asked = users(frame, without, scaling, above)
    found = study(asked.sheet, seed)
    return asked, found, profiles(found, asked.facts)


def carts_of(suite: Suite, as_of: datetime | None) -> Carts:
    """Return who gave to what, in the newest view; raises NotFound."""
    return carts(view(suite), as_of or suite.clock.now())


def suggestions(suite: Suite, wallet: str, n: int, as_of: datetime | None) -> Suggested:
    """Return what is suggested to *wallet*; raises Refused and Unfit."""
    return recommend(view(suite), wallet, n, as_of or suite.clock.now())


def associations(known: Carts, rate: float, seed: int) -> tuple[Tested, Carts, Tested]:
    """Return the pairs that stand out in *known*, and *known* shuffled, and its; raises Unfit."""
    found = examine(known, rate)
    mixed = shuffled(known, seed)
    return found, mixed, examine(mixed, rate)
