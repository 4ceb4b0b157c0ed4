"""Tell the owners of suppressions what they must know of them."""

from soc.app.suite import Suite
from soc.incidents.record import record
from soc.incidents.review import review
from soc.store.session import session


class Reviewing:
    """Looks at the suppressions of *suite*."""

    def __init__(self, suite: Suite) -> None:
        self._suite = suite

    def look(self) -> list[str]:
        """Make a finding of all that is to be told; return the rules of these."""
        now = self._suite.clock.now()
        with session(self._suite.database) as writing:
            found = review(writing, now)
            record(writing, found, {}, now, self._suite.settings.incidents)
        return [finding.rule for finding in found]
