"""What rules are made of: their files, what placeholders stand for, and imported lists."""

from collections.abc import Hashable

from soc.app import content
from soc.app.suite import Suite
from soc.detect.sigma.files import find_files
from soc.store import indicators
from soc.store.session import reading

LOOK_EVERY = 3.0
"""Seconds between two looks at the times of all rule files."""


def standing(suite: Suite) -> Hashable:
    """Return what changes whenever a rule file or an imported list does."""
    files = content.every_rule_file(suite.settings, suite.home)
    placeholders = suite.home.content("placeholders.yml")
    lists = [placeholders] if placeholders.is_file() else []
    with reading(suite.database) as looking:
        held = indicators.standing(looking, suite.clock.now())
    return tuple(find_files([*files, *lists])), tuple(held)
