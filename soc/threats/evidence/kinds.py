"""The kinds of evidence that there are, ours and those of plug-ins."""

from collections.abc import Mapping
from enum import StrEnum

from soc import plugins
from soc.threats.evidence.look import Resolver
from soc.threats.model import KindOfEvidence

GROUP = "soc.evidence"


class Kind(StrEnum):
    """What can be observed today; a model that asks for more writes a gap."""

    RULE_ENABLED = "rule.enabled"
    RULE_TEST = "rule.test"
    RULE_FIRED = "rule.fired"
    PLAYBOOK_ENABLED = "playbook.enabled"
    PLAYBOOK_RUN = "playbook.run"
    FOUR_EYES = "approval.four_eyes"
    FRESHNESS = "source.freshness"
    SETTING = "config.snapshot"
    AUDIT_WHOLE = "audit.whole"
    LOCKOUT = "login.lockout"
    RETENTION_PLAN = "retention.plan"
    ATTESTATION = "attestation"
    DOCUMENT = "document"


def resolvers() -> dict[str, Resolver]:
    """Return what looks for each kind of evidence, by name; ours enter by the strangers' door."""
    return {name: kind() for name, kind in plugins.load(GROUP).items()}


def described(found: Mapping[str, Resolver]) -> dict[str, KindOfEvidence]:
    """Return what each of *found* is about and proves, for those who read models."""
    return {name: KindOfEvidence(one.about, one.proof) for name, one in found.items()}
