"""The kinds of evidence that there are, ours and those of plug-ins."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from soc import plugins
from soc.threats.evidence import playbooks, rules, site
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


BUILT_IN: Mapping[Kind, Resolver] = MappingProxyType(
    {
        Kind.RULE_ENABLED: rules.Enabled(),
        Kind.RULE_TEST: rules.Tested(),
        Kind.RULE_FIRED: rules.Fired(),
        Kind.PLAYBOOK_ENABLED: playbooks.Enabled(),
        Kind.PLAYBOOK_RUN: playbooks.Ran(),
        Kind.FOUR_EYES: playbooks.FourEyes(),
        Kind.FRESHNESS: site.Fresh(),
        Kind.SETTING: site.Setting(),
        Kind.AUDIT_WHOLE: site.AuditWhole(),
        Kind.LOCKOUT: site.Lockout(),
        Kind.RETENTION_PLAN: site.RetentionPlan(),
        Kind.ATTESTATION: site.Attested(),
        Kind.DOCUMENT: site.Documented(),
    }
)


def resolvers() -> dict[str, Resolver]:
    """Return what looks for each kind of evidence, by name; plug-ins add kinds."""
    added = {name: kind() for name, kind in plugins.load(GROUP).items()}
    return {**added, **{str(kind): resolver for kind, resolver in BUILT_IN.items()}}


def described(found: Mapping[str, Resolver]) -> dict[str, KindOfEvidence]:
    """Return what each of *found* is about and proves, for those who read models."""
    return {name: KindOfEvidence(one.about, one.proof) for name, one in found.items()}
