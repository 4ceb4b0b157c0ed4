"""Whatever an event names is fit to be kept, shown and told apart."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc.model.value import Entity, EntityKind, bounded, bucket_of, entity, short, whole


@given(st.text(max_size=600), st.sampled_from(EntityKind))
def test_every_text_names_somebody_or_nobody(text: str, kind: EntityKind) -> None:
    named = entity(kind, text)

    if named is not None:
        assert len(named.value) <= 256
        assert entity(kind, named.value) == named
        assert Entity.parse(str(named)) == named


@pytest.mark.parametrize("text", [None, "", " ", "\x00\n", "\u2028"])
def test_nothing_names_nobody(text: str | None) -> None:
    assert entity(EntityKind.ACCOUNT, text) is None


def test_of_long_text_the_beginning_is_kept_and_different_texts_stay_different() -> None:
    one, two = (entity(EntityKind.ACCOUNT, "a" * 300 + end) for end in "xy")

    assert one is not None
    assert one.value.startswith("a" * 180 + "…")
    assert len(one.value) == 180 + 1 + 16
    assert one != two
    assert one == entity(EntityKind.ACCOUNT, "a" * 300 + "x")


def test_text_of_256_characters_is_kept_as_it_is() -> None:
    assert bounded("é" * 256) == "é" * 256


def test_a_long_wallet_has_one_spelling() -> None:
    assert entity(EntityKind.WALLET, "0xA" * 200) == entity(EntityKind.WALLET, "0xa" * 200)


def test_control_characters_are_left_out() -> None:
    assert bounded("a\x1b[31mb\r\n\x7fc\u2029\u00a0d") == "a[31mbc\u00a0d"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("0x" + "ab" * 20, "0xabab…abab"),
        ("0xab", "0xab"),
        ("treasury", "treasury"),
        ("n" * 64, "n" * 64),
        ("n" * 65, "n" * 63 + "…"),
    ],
)
def test_a_title_shows_a_short_name(name: str, shown: str) -> None:
    assert short(name) == shown


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("9" * 78, 10**78 - 1),
        ("9" * 79, None),
        ("9" * 5000, None),
        ("1.5", None),
        ("-1", None),
        ("²", None),
        ("", None),
        (None, None),
    ],
)
def test_a_whole_number_is_one_that_a_chain_can_hold(text: str | None, number: int | None) -> None:
    assert whole(text) == number


def test_the_first_bucket_of_the_calendar_is_a_bucket() -> None:
    first = datetime(1, 1, 1, 0, 30, tzinfo=UTC)

    assert bucket_of(first, timedelta(days=5000)) == datetime(1, 1, 1, tzinfo=UTC)
    assert bucket_of(first, timedelta(hours=1)) == datetime(1, 1, 1, tzinfo=UTC)
