"""Who may do what, and what a guesser meets."""

from datetime import timedelta

import pytest
from sqlmodel import Session, select

from soc.access import accounts, keys
from soc.access.permissions import ROLES, SCOPES, Permission, Principal, Role
from soc.clock import SettableClock
from soc.errors import AccessDenied, Illegal, NotAuthenticated, NotFound
from soc.store.session import Database, reading, session
from soc.store.tables import LoginFailure, LoginSession, Token, User

P = Permission
TABLE = {
    Role.VIEWER: "read",
    Role.ANALYST: "read triage",
    Role.RESPONDER: "read triage respond",
    Role.APPROVER: "read approve",
    Role.AUTHOR: "read author",
    Role.ADMIN: "read triage respond author admin",
    Role.AUDITOR: "read audit",
}


@pytest.fixture
def ines(database: Database, clock: SettableClock) -> str:
    """A user's password."""
    with session(database) as writing:
        return accounts.add(writing, "ines", frozenset({Role.ANALYST, Role.APPROVER}), clock.now())


def login(
    database: Database,
    clock: SettableClock,
    password: str,
    address: str = "192.0.2.1",
    name: str = "ines",
) -> Principal | AccessDenied:
    with reading(database) as looking:
        proof = accounts.verify(looking, name, password, address, clock.now())
    with session(database) as writing:
        return accounts.settle(writing, name, proof, address, clock.now())


@pytest.mark.parametrize("role", Role)
def test_every_role_may_do_what_the_table_says_and_no_more(role: Role) -> None:
    assert {str(p) for p in ROLES[role]} == set(TABLE[role].split())


def test_a_right_password_gives_what_the_roles_allow(
    database: Database, clock: SettableClock, ines: str
) -> None:
    who = login(database, clock, ines)

    assert isinstance(who, Principal)
    assert who.permissions == {P.READ, P.TRIAGE, P.APPROVE}


def test_after_ten_failures_the_right_password_does_not_count_until_the_quarter_is_over(
    database: Database, clock: SettableClock, ines: str
) -> None:
    for _ in range(10):
        assert isinstance(login(database, clock, "wrong"), AccessDenied)

    assert "too many" in str(login(database, clock, ines))
    assert isinstance(login(database, clock, ines, "192.0.2.2"), Principal)
    clock.moment += timedelta(minutes=15)
    assert isinstance(login(database, clock, ines), Principal)


def test_a_password_is_checked_while_another_writes(
    database: Database, clock: SettableClock, ines: str
) -> None:
    with session(database), reading(database) as looking:
        proof = accounts.verify(looking, "ines", ines, "192.0.2.1", clock.now())

    with session(database) as writing:
        assert isinstance(
            accounts.settle(writing, "ines", proof, "192.0.2.1", clock.now()), Principal
        )


def test_of_many_tries_at_once_only_ten_count(
    database: Database, clock: SettableClock, ines: str
) -> None:
    """All were checked before one was counted: the eleventh is refused, though it was right."""
    with reading(database) as looking:
        proof = accounts.verify(looking, "ines", ines, "192.0.2.1", clock.now())

    for _ in range(10):
        with session(database) as writing:
            accounts.settle(writing, "ines", None, "192.0.2.1", clock.now())
    with session(database) as writing:
        late = accounts.settle(writing, "ines", proof, "192.0.2.1", clock.now())

    assert "too many" in str(late)


def test_a_password_that_was_changed_meanwhile_does_not_count(
    database: Database, clock: SettableClock, ines: str
) -> None:
    with reading(database) as looking:
        proof = accounts.verify(looking, "ines", ines, "192.0.2.1", clock.now())
    with session(database) as writing:
        writing.get_one(User, "ines").password = "another"

    with session(database) as writing:
        found = accounts.settle(writing, "ines", proof, "192.0.2.1", clock.now())

    assert isinstance(found, AccessDenied)


def test_old_failures_are_forgotten(database: Database, clock: SettableClock) -> None:
    for days in (0, 100, 100):
        clock.moment += timedelta(days=days)
        with session(database) as writing:
            accounts.settle(writing, "bob", None, "192.0.2.1", clock.now())

    with session(database) as writing:
        assert len(writing.exec(select(LoginFailure)).all()) == 2


def test_a_token_of_a_disabled_person_is_nobody(
    database: Database, clock: SettableClock, ines: str
) -> None:
    with session(database) as writing:
        token = keys.create_token(writing, "t", "read", "ines", clock.now())
        writing.get_one(User, "ines").disabled = True
        writing.flush()

        with pytest.raises(NotAuthenticated):
            keys.of_token(writing, token)


def test_an_unknown_name_is_answered_like_a_wrong_password(
    database: Database, clock: SettableClock, ines: str
) -> None:
    assert str(login(database, clock, "wrong")) == str(login(database, clock, "wrong", name="bob"))


def test_a_session_ends_by_time_by_log_out_and_with_the_account(
    database: Database, clock: SettableClock, ines: str
) -> None:
    with session(database) as writing:
        secrets = [
            keys.open_session(writing, "ines", clock.now(), timedelta(hours=8)) for _ in range(3)
        ]
    with session(database) as writing:
        keys.close_session(writing, secrets[0])
        assert keys.of_session(writing, secrets[0], clock.now()) is None
        assert keys.of_session(writing, secrets[1], clock.now()) is not None
        assert keys.of_session(writing, secrets[1], clock.now() + timedelta(hours=8)) is None
        writing.get_one(User, "ines").disabled = True
        writing.flush()
        assert keys.of_session(writing, secrets[2], clock.now()) is None


def test_no_secret_is_stored(database: Database, clock: SettableClock, ines: str) -> None:
    with session(database) as writing:
        secret = keys.open_session(writing, "ines", clock.now(), timedelta(hours=8))
        token = keys.create_token(writing, "t", "read", None, clock.now())

    with Session(database) as reading:
        stored = repr(
            [reading.get_one(User, "ines").model_dump(), reading.get_one(Token, "t").model_dump()]
        )
        stored += repr([row.model_dump() for row in reading.exec(select(LoginSession))])
    assert not any(text in stored for text in (ines, secret, token))


@pytest.mark.parametrize("scope", SCOPES)
def test_a_machines_token_never_approves(
    database: Database, clock: SettableClock, scope: str
) -> None:
    with session(database) as writing:
        token = keys.create_token(writing, "t", scope, None, clock.now())
        who = keys.of_token(writing, token)

    assert who.permissions == SCOPES[scope] - {P.APPROVE}
    assert who.person is None


def test_a_persons_token_allows_no_more_than_the_person(
    database: Database, clock: SettableClock, ines: str
) -> None:
    with session(database) as writing:
        token = keys.create_token(writing, "t", "admin", "ines", clock.now())
        who = keys.of_token(writing, token)

    assert (who.name, who.permissions) == ("user:ines", {P.READ, P.TRIAGE, P.APPROVE})


def test_a_revoked_or_invented_token_is_nobody(database: Database, clock: SettableClock) -> None:
    with session(database) as writing:
        token = keys.create_token(writing, "t", "read", None, clock.now())
        keys.revoke_token(writing, "t", clock.now())
        for secret in (token, "soc_invented", ""):
            with pytest.raises(AccessDenied):
                keys.of_token(writing, secret)


def test_mistakes_are_told(database: Database, clock: SettableClock, ines: str) -> None:
    with session(database) as writing:
        with pytest.raises(Illegal, match="no scope"):
            keys.create_token(writing, "t", "everything", None, clock.now())
        with pytest.raises(NotFound):
            keys.create_token(writing, "t", "read", "bob", clock.now())
        with pytest.raises(Illegal, match="already"):
            accounts.add(writing, "ines", frozenset({Role.VIEWER}), clock.now())
