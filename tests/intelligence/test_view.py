"""The view of users and transactions: the same however events come, and strict about what it takes."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soc.errors import NotFound, Refused
from soc.intelligence.view import keep
from soc.intelligence.view.gather import gather, joined
from soc.intelligence.view.marks import MARKS
from soc.intelligence.view.settle import CONSTRAINTS, reasons_of, settle
from soc.model.event import Batch
from soc.model.value import rfc3339
from tests.conftest import NOON
from tests.intelligence.gifts import HISTORIES, MINED, SAID, Told, batch, gathered, moment, wallet

FACTS = {"made": rfc3339(NOON), "upto": {"0": 3}, "events": 3, "refused": {}, "code": "0"}


@settings(max_examples=30)
@given(HISTORIES, st.data())
def test_events_come_to_the_same_in_one_go_or_in_parts(
    told: Sequence[Told], data: st.DataObject
) -> None:
    whole = batch(told)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(told)), max_size=3)) | {0, len(told)})
    parts = [
        gather(Batch(whole.table.slice(begin, end - begin), end)) for begin, end in pairwise(cuts)
    ]
    together = parts[0]
    for part in data.draw(st.permutations(parts[1:])):
        together = joined(together, part)

    expected = settle(gather(whole))
    assert settle(together) == expected
    assert settle(joined(*parts), at_once=2) == expected


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        pytest.param([Told("0x1", amount="x")], "amount", id="no number"),
        pytest.param([Told("0x1", amount="-1")], "amount", id="negative"),
        pytest.param([Told("0x1", amount="9" * 39)], "amount", id="too many digits"),
        pytest.param([Told("0x1", amount="1.5")], "amount", id="a fraction"),
        pytest.param([Told("0x1", project="")], "project", id="no project"),
        pytest.param([Told("0x1"), Told("0x1", amount="6")], "duplicate id", id="two amounts"),
        pytest.param([Told("0x1"), Told("0x1", wallet=2)], "duplicate id", id="two wallets"),
        pytest.param([Told("0x1", at=600, late=-400)], "clock skew", id="from the future"),
        pytest.param(
            [Told("0x1", SAID, 900, -900), Told("0x1", at=10)], "clock skew", id="said so"
        ),
    ],
)
def test_what_breaks_a_constraint_is_set_aside_by_name(told: Sequence[Told], reason: str) -> None:
    tables = settle(gathered([*told, Told("0x2", wallet=7)]))

    assert tables.transactions["tx_id"].to_pylist() == ["0x2"]
    assert reasons_of(tables) == {reason: 1}
    assert reason in CONSTRAINTS


def test_a_donation_before_its_account_is_set_aside() -> None:
    found = gathered([Told("0x1", at=0)])
    late = found.wallets.set_column(1, found.wallets.schema.field("first"), [[moment(3_600)]])

    assert reasons_of(settle(found._replace(wallets=late))) == {"before its account": 1}


def test_the_chain_is_right_and_what_it_took_back_was_only_announced() -> None:
    told = [
        Told("0x1", SAID, amount="9", project="", at=0),
        Told("0x1", MINED, amount="7", project="p2", at=8, late=4),
        Told("0x2", SAID, amount="3", at=1),
        Told("0x2", MINED, amount="4", at=9),
        Told("0x2", MINED, finality="removed", at=9, late=60),
        Told("0x3", MINED, at=2),
        Told("0x3", MINED, finality="removed", at=2),
    ]
    one, two = settle(gathered(told)).transactions.to_pylist()

    assert (one["amount"], one["project"], one["made"]) == (Decimal(7), "p2", moment(0))
    assert (one["confirmed_at"], one["final_known"]) == (moment(8), moment(12))
    assert (two["amount"], two["removed_known"]) == (Decimal(3), moment(69))


def test_a_transaction_that_comes_back_is_on_the_chain() -> None:
    gone = Told("0x1", finality="removed", at=1)
    again = Told("0x1", finality="latest", at=30)
    (row,) = settle(
        gathered([Told("0x1", finality="latest"), gone, again])
    ).transactions.to_pylist()

    assert (row["removed_known"], row["confirmed_at"]) == (None, moment(30))


def test_the_only_chain_of_a_token_is_taken_where_none_is_told() -> None:
    told = [Told("0x1"), Told("0x2", SAID, chain=None)]
    both = [*told, Told("0x3", chain=10)]

    assert set(settle(gathered(told)).transactions["currency"].to_pylist()) == {"1:USDC"}
    assert "?:USDC" in settle(gathered(both)).transactions["currency"].to_pylist()


def test_users_are_there_from_when_anything_first_named_them() -> None:
    told = [Told("0x1", at=50), Told("0x2", wallet=2, at=20), Told("0x2", wallet=2, at=70)]
    users = settle(gathered(told)).users.to_pylist()

    assert [(u["wallet"], u["created"], u["events"]) for u in users] == [
        (wallet(1), moment(50), 1),
        (wallet(2), moment(20), 2),
    ]


def kept(root: Path, told: Sequence[Told]) -> keep.Manifest:
    found = gathered(told)
    tables = {**settle(found)._asdict(), "marks": MARKS.empty_table(), **found._asdict()}
    return keep.put(root, tables, FACTS)


def test_a_version_is_read_as_it_was_kept_and_the_oldest_are_forgotten(tmp_path: Path) -> None:
    made = [kept(tmp_path, [Told(f"0x{n}")]) for n in range(keep.KEPT + 2)]
    newest, older = keep.load(tmp_path), keep.load(tmp_path, 3)

    assert keep.versions(tmp_path) == [3, 4, 5, 6, 7]
    assert newest.manifest == made[-1]
    assert newest.transactions["tx_id"].to_pylist() == ["0x6"]
    assert older.transactions["tx_id"].to_pylist() == ["0x2"]
    assert settle(newest.gathered).transactions == newest.transactions


def test_a_changed_file_another_format_and_a_missing_version_are_told(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        keep.load(tmp_path)
    made = kept(tmp_path, [Told("0x1")])
    with pytest.raises(NotFound):
        keep.load(tmp_path, 2)
    file = tmp_path / "000001" / "users.parquet"
    file.write_bytes(file.read_bytes()[:-1] + b"!")

    with pytest.raises(Refused, match=r"users\.parquet: it is not what was written"):
        keep.load(tmp_path)
    assert replace(made, version=2) != made


def test_a_version_that_was_not_finished_is_none(tmp_path: Path) -> None:
    kept(tmp_path, [Told("0x1")])
    (tmp_path / "draft-2").mkdir()
    (tmp_path / "draft-2" / "users.parquet").write_bytes(b"half")

    assert keep.load(tmp_path).manifest.version == 1
    assert kept(tmp_path, [Told("0x2")]).version == 2
