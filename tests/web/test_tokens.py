"""Who sends: the store is asked once for all who come at the same time, and not for long."""

import asyncio
from dataclasses import dataclass, field
from threading import Event

import pytest
from starlette.requests import HTTPConnection

from soc.access.permissions import Principal
from soc.errors import NotAuthenticated
from soc.web.tokens import Tokens

ANN = Principal(name="token:ann", permissions=frozenset())


def request(secret: str | None = "Bearer a") -> HTTPConnection:
    headers = [(b"authorization", secret.encode())] if secret else []
    return HTTPConnection({"type": "http", "headers": headers})


@dataclass
class Store:
    """Answers when it is let to."""

    known: bool = True
    asked: int = 0
    answers: Event = field(default_factory=Event)

    def who(self, _connection: HTTPConnection) -> Principal:
        self.asked += 1
        assert self.answers.wait(10)
        if not self.known:
            raise NotAuthenticated("the token is unknown or revoked")
        return ANN


@dataclass
class Watch:
    """Shows the seconds that it is set to."""

    seconds: float = 100.0

    def now(self) -> float:
        return self.seconds


def ready(**about: bool) -> Store:
    store = Store(**about)
    store.answers.set()
    return store


async def begun(*work: asyncio.Task[Principal]) -> None:
    """Return when each of *work* waits for the store."""
    for _ in range(3 * len(work)):
        await asyncio.sleep(0)


def test_many_who_come_together_are_one_question() -> None:
    store = Store()

    async def eight() -> list[Principal]:
        known = Tokens(store.who)
        waiting = [asyncio.create_task(known.who(request())) for _ in range(8)]
        await begun(*waiting)
        store.answers.set()
        return await asyncio.gather(*waiting)

    assert asyncio.run(eight()) == [ANN] * 8
    assert store.asked == 1


def test_an_answer_is_good_for_a_second_from_the_question_on() -> None:
    store, watch = ready(), Watch()

    async def later() -> list[int]:
        known, asked = Tokens(store.who, now=watch.now), list[int]()
        for seconds in (0, 0.9, 0.2, 0.9):
            watch.seconds += seconds
            await known.who(request())
            asked.append(store.asked)
        return asked

    assert asyncio.run(later()) == [1, 1, 2, 2]


def test_a_token_revoked_meanwhile_is_refused() -> None:
    store, watch = ready(), Watch()

    async def revoked() -> None:
        known = Tokens(store.who, now=watch.now)
        await known.who(request())
        store.known = False
        watch.seconds += 1.0
        await known.who(request())

    with pytest.raises(NotAuthenticated):
        asyncio.run(revoked())


def test_a_refusal_is_not_remembered() -> None:
    store = ready(known=False)

    async def made_meanwhile() -> Principal:
        known = Tokens(store.who)
        with pytest.raises(NotAuthenticated):
            await known.who(request())
        store.known = True
        return await known.who(request())

    assert asyncio.run(made_meanwhile()) == ANN
    assert store.asked == 2


def test_who_goes_away_takes_the_answer_from_nobody() -> None:
    store = Store()

    async def first_leaves() -> Principal:
        known = Tokens(store.who)
        first = asyncio.create_task(known.who(request()))
        second = asyncio.create_task(known.who(request()))
        await begun(first, second)
        first.cancel()
        await begun(first, second)
        store.answers.set()
        return await second

    assert asyncio.run(first_leaves()) == ANN
    assert store.asked == 1


@pytest.mark.parametrize("other", ["Bearer b", None])
def test_another_token_or_none_is_another_question(other: str | None) -> None:
    store = ready()

    async def both() -> None:
        known = Tokens(store.who)
        await known.who(request())
        await known.who(request(other))
        await known.who(request(other))

    asyncio.run(both())
    assert store.asked == (2 if other else 3)


def test_no_more_tokens_are_remembered_than_fit() -> None:
    store = ready()

    async def many() -> None:
        known = Tokens(store.who, most=3)
        for number in (1, 2, 3, 4, 4, 1):
            await known.who(request(f"Bearer {number}"))

    asyncio.run(many())
    assert store.asked == 5
