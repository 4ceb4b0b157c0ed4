"""What is found in the users of an installation: groups, tastes, and what goes together."""

from collections.abc import Sequence
from datetime import datetime

from soc.app.studies import features, view
from soc.app.suite import Suite
from soc.intelligence.association.pairs import Tested, examine
from soc.intelligence.association.rules import Mined, Search, mine
from soc.intelligence.association.shuffle import shuffled
from soc.intelligence.carts import Carts, carts
from soc.intelligence.clusters.sheet import Scaling
from soc.intelligence.clusters.study import Profile, Study, profiles, study
from soc.intelligence.clusters.users import Users, users
from soc.intelligence.features.build import Frame
from soc.intelligence.recommend.evaluate import Evaluation, evaluate
from soc.intelligence.recommend.suggest import Suggested, recommend


def clusters(
    suite: Suite,
    as_of: datetime | None,
    currency: str | None,
    decimals: int | None,
    *,
    without: Sequence[str],
    scaling: Scaling,
    above: float | None,
    seed: int,
) -> tuple[Frame, Users, Study, list[Profile]]:
    """Return the groups among users of the newest view; raises Refused and Unfit."""
    _, frame = features(suite, as_of, currency, decimals)
    asked = users(frame, without, scaling, above)
    found = study(asked.sheet, seed)
    return frame, asked, found, profiles(found, asked.facts)


def suggestions(suite: Suite, wallet: str, n: int, as_of: datetime | None) -> Suggested:
    """Return what is suggested to *wallet*; raises Refused and Unfit."""
    return recommend(view(suite), wallet, n, as_of or suite.clock.now())


def grades(suite: Suite, as_of: datetime | None, seed: int) -> Evaluation:
    """Return how right suggestions would have been; raises Unfit."""
    return evaluate(carts(view(suite), as_of or suite.clock.now()), seed)


def associations(
    suite: Suite, as_of: datetime | None, rate: float, seed: int
) -> tuple[Carts, Tested, Carts, Tested]:
    """Return carts and the pairs that stand out in them, and both after shuffling; raises Unfit."""
    known = carts(view(suite), as_of or suite.clock.now())
    found = examine(known, rate)
    mixed = shuffled(known, seed)
    return known, found, mixed, examine(mixed, rate)


def rules(known: Carts, found: Tested, support: float, search: Search) -> Mined:
    """Return the rules in *known* all of whose pairs were *found*; raises Refused and Unfit."""
    return mine(known, found.names, support, search)
