"""Secrets that stand for somebody: browser sessions and tokens. Only their hashes are kept."""

import hashlib
from datetime import datetime, timedelta

from sqlmodel import Session, col, delete, select

from soc.access import accounts
from soc.access.permissions import PERSONAL, SCOPES, Principal
from soc.clock import nonce
from soc.errors import Illegal, NotAuthenticated, NotFound
from soc.store.locks import alone
from soc.store.tables import LoginSession, Token, User

PREFIX = "soc_"
INGEST = "ingest"


def open_session(session: Session, person: str, now: datetime, lasts: timedelta) -> str:
    """Begin a log-in session of *person*; return its secret. Ended ones are forgotten."""
    session.exec(delete(LoginSession).where(col(LoginSession.expires) <= now))
    secret = nonce()
    session.add(LoginSession(hash=_hash(secret), name=person, created=now, expires=now + lasts))
    return secret


def of_session(session: Session, secret: str, now: datetime) -> Principal | None:
    """Return whose log-in session *secret* is, or None if it ended or never was."""
    row = session.get(LoginSession, _hash(secret))
    if not row or row.expires <= now:
        return None
    user = session.get(User, row.name)
    return accounts.principal(user) if user and not user.disabled else None


def close_session(session: Session, secret: str) -> None:
    """End a log-in session; do nothing if there is none."""
    session.exec(delete(LoginSession).where(col(LoginSession.hash) == _hash(secret)))


def create_token(
    session: Session,
    name: str,
    scope: str,
    user: str | None,
    now: datetime,
    source: str | None = None,
) -> str:
    """Make a token; return it, shown once. Raises Illegal, or NotFound for an unknown user.

    source: what all that it sends goes under.
    """
    if scope not in SCOPES:
        raise Illegal(f"no scope {scope}: known are {', '.join(SCOPES)}")
    alone(session, f"token {name}")
    if session.get(Token, name):
        raise Illegal(f"there is a token {name} already")
    if user and not session.get(User, user):
        raise NotFound("user", user)
    if source and (scope != INGEST or user):
        raise Illegal("a source is for tokens of scope ingest that are no person's")
    secret = PREFIX + nonce()
    row = Token(name=name, hash=_hash(secret), scope=scope, user=user, created=now, source=source)
    session.add(row)
    return secret


def of_token(session: Session, secret: str) -> Principal:
    """Return who holds the token *secret*; raises NotAuthenticated if it is no good any more.

    A person's token allows what both its scope and the person's roles allow.
    """
    row = session.exec(select(Token).where(col(Token.hash) == _hash(secret))).first()
    if not row or row.revoked:
        raise NotAuthenticated("the token is unknown or revoked")
    scope = SCOPES[row.scope]
    if row.user is None:
        name = f"token:{row.name}"
        return Principal(name=name, permissions=scope - PERSONAL, source=row.source)
    try:
        person = accounts.find(session, row.user)
    except NotFound as gone:
        raise NotAuthenticated("the token's person may not log in any more") from gone
    return Principal(
        name=person.name,
        permissions=scope & person.permissions,
        person=person.person,
        roles=person.roles,
    )


def revoke_token(session: Session, name: str, now: datetime) -> None:
    """End a token; raises NotFound."""
    row = session.get(Token, name)
    if not row:
        raise NotFound("token", name)
    row.revoked = row.revoked or now


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
