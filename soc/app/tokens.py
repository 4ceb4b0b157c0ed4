"""Make tokens, on the record."""

from soc.access import keys
from soc.access.permissions import Permission, Principal
from soc.app.suite import Suite
from soc.app.taking import check_source
from soc.audit import Act, record
from soc.store.session import session


def make_token(
    suite: Suite, actor: Principal, name: str, scope: str, user: str | None, source: str | None
) -> str:
    """Return a new token, shown once; raises AccessDenied, Illegal, NotFound or Refused."""
    actor.require(Permission.ADMIN)
    if user and not actor.name.startswith("os:"):
        actor.require_person()  # a machine must not make itself somebody who approves
    if source is not None:
        check_source(source)
    now = suite.clock.now()
    whose = f"{scope} for {user or f'source {source}'}" if user or source else scope
    with session(suite.database) as writing:
        token = keys.create_token(writing, name, scope, user, now, source)
        act = Act(
            at=now,
            actor=actor.name,
            action="token.create",
            object=f"token:{name}",
            reason=whose,
            detail={"scope": scope, "user": user, **({"source": source} if source else {})},
        )
        record(writing, act)
    return token
