"""People and their passwords; every log-in is checked, counted, and slowed down when it fails."""

from datetime import datetime, timedelta
from functools import cache

import orjson
from passlib.hash import argon2
from sqlmodel import Session, col, delete, func, select

from soc.access.permissions import Principal, Role, of_roles
from soc.clock import nonce
from soc.errors import AccessDenied, Illegal, NotFound, TooManyRequests
from soc.store.locks import alone
from soc.store.tables import LoginFailure, User

SHORTEST = 12
FAILURES = 10
LOCKED_FOR = timedelta(minutes=15)
REMEMBERED = timedelta(days=180)
"""How long a failure is kept: lock-outs are evidence that the log-in is guarded."""


def add(session: Session, name: str, roles: frozenset[Role], now: datetime) -> str:
    """Make a user; return the password, shown once. Raises Illegal if the name is taken."""
    alone(session, f"user {name}")
    if session.get(User, name):
        raise Illegal(f"there is a user {name} already")
    password = nonce(15)
    session.add(
        User(
            name=name,
            password=argon2.hash(password),
            roles_json=orjson.dumps(sorted(roles)).decode(),
            created=now,
        )
    )
    return password


def everyone(session: Session) -> list[tuple[str, list[str], bool]]:
    """Return name, roles and whether disabled, of every user."""
    users = session.exec(select(User).order_by(col(User.name)))
    return [(user.name, orjson.loads(user.roles_json), user.disabled) for user in users]


def verify(session: Session, name: str, password: str, address: str, now: datetime) -> str | None:
    """Return the hash of *name* that *password* fits, or None; it takes long, on purpose.

    Nothing is written: *settle* counts, in a transaction that nobody has to wait for.
    """
    if _is_locked(session, name, address, now):
        return None
    user = session.get(User, name)
    kept = user.password if user else _nobody()
    return kept if argon2.verify(password, kept) and user else None


def settle(
    session: Session, name: str, proof: str | None, address: str, now: datetime
) -> Principal | AccessDenied:
    """Return who *name* is, or why not; a failure is counted in the transaction of *session*.

    proof: what *verify* said. After ten failures of one name from one address neither right nor
    wrong passwords count for a quarter of an hour, however many were tried at once.
    """
    alone(session, f"login {name} {address}")
    if _is_locked(session, name, address, now):
        minutes = LOCKED_FOR // timedelta(minutes=1)
        return TooManyRequests(f"too many failures: wait {minutes} minutes")
    user = session.get(User, name)
    if not user or user.disabled or proof is None or user.password != proof:
        session.exec(delete(LoginFailure).where(col(LoginFailure.at) <= now - REMEMBERED))
        session.add(LoginFailure(name=name, address=address, at=now))
        return AccessDenied("user name and password do not match")
    return principal(user)


def find(session: Session, name: str) -> Principal:
    """Return the person *name*; raises NotFound for nobody and for a disabled account."""
    user = session.get(User, name)
    if not user or user.disabled:
        raise NotFound("user", name)
    return principal(user)


def principal(user: User) -> Principal:
    """Return *user* with what the roles allow."""
    roles = frozenset(Role(role) for role in orjson.loads(user.roles_json))
    return Principal(
        name=f"user:{user.name}", permissions=of_roles(roles), person=user.name, roles=roles
    )


def _is_locked(session: Session, name: str, address: str, now: datetime) -> bool:
    failures = select(func.count(col(LoginFailure.id))).where(
        col(LoginFailure.name) == name,
        col(LoginFailure.address) == address,
        col(LoginFailure.at) > now - LOCKED_FOR,
    )
    return session.exec(failures).one() >= FAILURES


@cache
def _nobody() -> str:
    """Return a hash to check where there is no such user, so that every answer takes as long."""
    return str(argon2.hash(nonce()))
