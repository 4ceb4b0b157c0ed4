from soc.simulate import habits_of, middle
from soc.simulate.values import Gift, Transfer


def test_habits_are_sorted_samples_of_the_asked_wallets_alone() -> None:
    gifts = [
        Gift(at=5, wallet="0xa", project="p", amount=30),
        Gift(at=2, wallet="0xa", project="p", amount=10),
        Gift(at=4, wallet="0xb", project="p", amount=20),
        Gift(at=1, wallet="0xc", project="p", amount=99),
    ]
    transfers = [
        Transfer(at=1, sender="0xf", receiver="0xa", amount=50),
        Transfer(at=0.5, sender="0xf", receiver="0xa", amount=50),
        Transfer(at=1, sender="0xf", receiver="0xc", amount=50),
    ]

    habits = habits_of(["0xa", "0xb"], gifts, transfers)

    assert habits.amounts == (10, 20, 30)
    assert habits.gaps == (3,)
    assert habits.ages == (1.5,)


def test_the_middle_leaves_out_both_ends() -> None:
    assert middle(range(101)) == tuple(range(10, 91))
