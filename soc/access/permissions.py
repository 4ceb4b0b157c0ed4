"""The one permission table."""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from soc.errors import AccessDenied


class Permission(StrEnum):
    """What there is to be allowed.

    read: see everything but secrets. triage: work alerts and incidents. respond: run, cancel, lift.
    approve: decide what waits for a person. author: switch rules and playbooks. admin: users,
    tokens, settings. audit: export the audit log. ingest: send events. authz: ask as an edge.
    """

    READ = "read"
    TRIAGE = "triage"
    RESPOND = "respond"
    APPROVE = "approve"
    AUTHOR = "author"
    ADMIN = "admin"
    AUDIT = "audit"
    INGEST = "ingest"
    AUTHZ = "authz"


class Role(StrEnum):
    """Who people are to the suite; a person may have several."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    RESPONDER = "responder"
    APPROVER = "approver"
    AUTHOR = "author"
    ADMIN = "admin"
    AUDITOR = "auditor"


P = Permission
ROLES = MappingProxyType(
    {
        Role.VIEWER: frozenset({P.READ}),
        Role.ANALYST: frozenset({P.READ, P.TRIAGE}),
        Role.RESPONDER: frozenset({P.READ, P.TRIAGE, P.RESPOND}),
        Role.APPROVER: frozenset({P.READ, P.APPROVE}),
        Role.AUTHOR: frozenset({P.READ, P.AUTHOR}),
        Role.ADMIN: frozenset({P.READ, P.TRIAGE, P.RESPOND, P.AUTHOR, P.ADMIN}),
        Role.AUDITOR: frozenset({P.READ, P.AUDIT}),
    }
)
SCOPES = MappingProxyType(
    {
        "ingest": frozenset({P.INGEST}),
        "authz": frozenset({P.AUTHZ}),
        "read": frozenset({P.READ}),
        "triage": frozenset({P.READ, P.TRIAGE}),
        "respond": frozenset({P.READ, P.TRIAGE, P.RESPOND, P.APPROVE}),
        "admin": frozenset({P.READ, P.TRIAGE, P.RESPOND, P.APPROVE, P.AUTHOR, P.ADMIN}),
        "audit": frozenset({P.READ, P.AUDIT}),
    }
)
PERSONAL = frozenset({P.APPROVE})
"""What only a person may do: a machine's token never carries it."""
LOCAL = frozenset({P.READ, P.TRIAGE, P.AUTHOR, P.ADMIN, P.INGEST, P.AUDIT})
"""What the owner of the home may do from the command line, without a token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Whoever acts. name: as the audit log has it, such as ``user:ines``.

    source: what all that it sends goes under, if it may send as no other.
    """

    name: str
    permissions: frozenset[Permission]
    person: str | None = None
    roles: frozenset[Role] = frozenset()
    source: str | None = None

    def sends_as(self, source: str | None, otherwise: str = "") -> str:
        """Return the source of what it sends, given what it says; raises AccessDenied.

        otherwise: what it is where nothing is said.
        """
        if self.source is None:
            return otherwise if source is None else source
        if source not in {None, self.source}:
            raise AccessDenied(f"{self.name} sends as {self.source} alone, not as {source}")
        return self.source

    def require_any_source(self) -> None:
        """Do nothing for who may send as any source; raise AccessDenied."""
        if self.source is not None:
            raise AccessDenied(f"{self.name} may send as {self.source}, and nothing else")

    def require(self, permission: Permission) -> None:
        """Do nothing if *permission* is held; raise AccessDenied saying what is missing."""
        if permission not in self.permissions:
            raise AccessDenied(f"{self.name} lacks the permission {permission}")

    def require_person(self) -> None:
        """Do nothing for a person; raise AccessDenied for machines and the owner of the home."""
        if self.person is None:
            raise AccessDenied("only a person does this: use a person's token")


def of_roles(roles: frozenset[Role]) -> frozenset[Permission]:
    """Return what people with *roles* may do."""
    return frozenset().union(*(ROLES[role] for role in roles))
