"""Read a policy of retention, with every mistake and contradiction at its line."""

from pathlib import Path

from soc.content.document import Document
from soc.content.kinds import load
from soc.errors import ContentError, Problem
from soc.retain.conflicts import conflicts
from soc.retain.policy import Policy


def read_policy(path: Path) -> Policy:
    """Return the policy in *path*; raises ContentError with all its mistakes or contradictions."""
    policy = load(path, Policy)
    document = Document(path)
    problems = [
        Problem(path, document.line(found.place), f"{found.code}: {found.words}")
        for found in conflicts(policy)
    ]
    if problems:
        raise ContentError(problems)
    return policy
