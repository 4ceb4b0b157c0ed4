import re
from collections import Counter
from ipaddress import ip_address, ip_network
from itertools import chain, pairwise

import pytest

from soc.simulate import SMALL, AttackKind, Habits, Role, RoundPlan, habits_of, middle, plan
from soc.simulate.values import DAYS, HONEST, PREPARATION, Attack

SEEDS = [1, 2, 3, 4, 5]
DOCUMENTATION = [
    ip_network(text)
    for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
]
PLANS = {seed: plan(seed) for seed in SEEDS}


@pytest.fixture(params=SEEDS)
def it(request: pytest.FixtureRequest) -> RoundPlan:
    seed: int = request.param
    return PLANS[seed]


def attack(it: RoundPlan, kind: AttackKind) -> Attack:
    return next(each for each in it.attacks if each.kind is kind)


def habits(it: RoundPlan, *roles: Role) -> Habits:
    return habits_of(it.addresses(*roles), it.gifts, it.transfers)


def test_a_seed_always_gives_the_same_round_and_another_seed_another(it: RoundPlan) -> None:
    assert plan(it.seed) == it
    assert plan(it.seed + 100).gifts != it.gifts


def test_the_round_is_big_enough_and_fits_a_busy_core(it: RoundPlan) -> None:
    sessions = {each.sender for each in it.transfers} | {each.wallet for each in it.gifts}
    requests = (
        len(sessions)
        + 2 * len(it.gifts)
        + len(it.transfers)
        + len(it.visits)
        + len(it.logins)
        + len(it.forgeries)
    )

    assert len(it.projects) >= 12
    assert len(it.addresses(Role.DONOR, Role.PAYROLL)) >= 300
    assert requests <= 3700  # about 150 of them fall away once sybils are held back


def test_everything_happens_in_order_within_the_round(it: RoundPlan) -> None:
    for acts in (it.transfers, it.gifts, it.forgeries, it.visits, it.logins):
        times = [act.at for act in acts]
        assert times == sorted(times)
        assert -PREPARATION <= times[0] <= times[-1] < DAYS
    assert it.gifts[0].at > 0


def test_nobody_gives_before_the_money_came(it: RoundPlan) -> None:
    funded: dict[str, float] = {}
    for transfer in reversed(it.transfers):
        funded[transfer.receiver] = transfer.at

    assert all(funded[gift.wallet] < gift.at for gift in it.gifts)


def test_addresses_are_well_formed_and_of_documentation_networks(it: RoundPlan) -> None:
    addresses = [wallet.address for wallet in it.wallets]
    ips = {
        *(wallet.ip for wallet in it.wallets),
        *(visit.ip for visit in it.visits),
        *(login.ip for login in it.logins),
    }

    assert len(set(addresses)) == len(addresses)
    assert all(re.fullmatch("0x[0-9a-f]{40}", each) for each in addresses)
    assert all(any(ip_address(ip) in network for network in DOCUMENTATION) for ip in ips)
    assert all(str(ip_address(ip)) == ip for ip in ips)
    own = [wallet.ip for wallet in it.wallets if wallet.role is not Role.FORGER]
    assert len(set(own)) == len(own)


def test_attackers_share_nothing_with_honest_people(it: RoundPlan) -> None:
    bad_wallets = set(chain.from_iterable(each.wallets for each in it.attacks))
    bad_ips = set(chain.from_iterable(each.ips for each in it.attacks))
    bad_accounts = set(chain.from_iterable(each.accounts for each in it.attacks))
    honest_ips = {wallet.ip for wallet in it.wallets if wallet.role in HONEST}
    logins = [login for login in it.logins if login.ip not in bad_ips]
    visitors = {visit.ip for visit in it.visits if visit.wallet is None}

    assert not bad_wallets & set(it.honest)
    assert not bad_ips & (honest_ips | visitors)
    assert not bad_accounts & {login.account for login in logins}
    assert bad_wallets | set(it.honest) == {wallet.address for wallet in it.wallets}


def test_two_exchanges_each_fund_a_third_of_the_honest(it: RoundPlan) -> None:
    honest = set(it.honest)
    hubs = it.addresses(Role.EXCHANGE)

    assert len(hubs) == 2
    for hub in hubs:
        funded = {each.receiver for each in it.transfers if each.sender == hub} & honest
        assert len(funded) >= 0.3 * len(honest)


def test_payroll_looks_like_an_attack_and_is_none(it: RoundPlan) -> None:
    people = set(it.addresses(Role.PAYROLL))
    gifts = [gift for gift in it.gifts if gift.wallet in people]
    projects = Counter(gift.project for gift in gifts)

    assert len(people) >= 60
    assert len({each.sender for each in it.transfers if each.receiver in people}) == 1
    assert {gift.wallet for gift in gifts} == people
    assert gifts[-1].at - gifts[0].at < 1
    assert len(projects) >= 3
    assert max(projects.values()) <= len(gifts) / 2


def test_honest_donors_return_and_give_to_several_projects_and_some_give_much(
    it: RoundPlan,
) -> None:
    donors = set(it.addresses(Role.DONOR))
    gifts = [gift for gift in it.gifts if gift.wallet in donors]
    projects = Counter(wallet for wallet, _ in {(gift.wallet, gift.project) for gift in gifts})
    amounts = habits(it, Role.DONOR).amounts

    assert sum(count > 1 for count in projects.values()) > 0.2 * len(donors)
    assert sum(gap > 1 for gap in habits(it, Role.DONOR).gaps) > 30
    assert amounts[-1] > 20 * amounts[len(amounts) // 2]


def test_honest_staff_mistype_and_then_get_in(it: RoundPlan) -> None:
    bad = attack(it, AttackKind.ADMIN_BRUTEFORCE).ips
    wrong = [each for each in it.logins if not each.succeeds and each.ip not in bad]

    assert 1 <= len(wrong) <= 6
    for mistake in wrong:
        later = [each for each in it.logins if each.account == mistake.account]
        assert any(each.succeeds and 0 < each.at - mistake.at < 0.2 for each in later)


def test_each_sybil_has_its_own_funder_and_all_of_those_one_root(it: RoundPlan) -> None:
    sybils, hubs = it.addresses(Role.SYBIL), it.addresses(Role.EXCHANGE)
    (root,) = it.addresses(Role.ROOT)
    funders = {
        sybil: {each.sender for each in it.transfers if each.receiver == sybil} for sybil in sybils
    }
    own = [next(iter(each - set(hubs))) for each in funders.values()]

    assert len(sybils) >= 40
    assert all(len(each - set(hubs)) == 1 for each in funders.values())
    assert len(set(own)) == len(sybils)
    for middleman in own:
        assert {each.sender for each in it.transfers if each.receiver == middleman} == {root}
    assert sum(bool(each & set(hubs)) for each in funders.values()) >= len(sybils) // 3


def test_sybils_give_to_one_project_again_and_again_and_after_any_approval(it: RoundPlan) -> None:
    sybils = set(it.addresses(Role.SYBIL))
    gifts = [gift for gift in it.gifts if gift.wallet in sybils]
    target = Counter(gift.project for gift in gifts).most_common(1)[0][1]

    assert target >= 0.85 * len(gifts)
    for sybil in sybils:
        times = [gift.at for gift in gifts if gift.wallet == sybil]
        again = [at for at in times if at - times[0] > 1 and at < 10]
        final = [at for at in times if at > 12]
        assert len(again) >= 3
        assert again[2] - again[0] < 0.6
        assert len(final) == 3
        assert final[2] - final[0] < 0.6


@pytest.mark.parametrize("habit", ["amounts", "gaps", "ages"])
def test_sybil_habits_lie_where_honest_ones_do(it: RoundPlan, habit: str) -> None:
    honest = getattr(habits(it, Role.DONOR, Role.PAYROLL), habit)
    sybil = getattr(habits(it, Role.SYBIL), habit)

    low, *_, high = middle(honest)
    assert sum(low <= value <= high for value in sybil) >= 0.8 * len(sybil)
    low, *_, high = middle(sybil)
    assert sum(low <= value <= high for value in honest) >= 0.4 * len(honest)


def test_every_attack_happens_at_its_own_time_and_early_enough(it: RoundPlan) -> None:
    assert {each.kind for each in it.attacks} == set(AttackKind)
    assert all(0 < each.started < each.ended < 11 for each in it.attacks)
    others = [each for each in it.attacks if each.kind is not AttackKind.SYBIL_FANOUT]
    for earlier, later in pairwise(others):
        assert earlier.ended < later.started


def test_attacks_are_as_strong_as_promised(it: RoundPlan) -> None:
    guesses, abuse = attack(it, AttackKind.ADMIN_BRUTEFORCE), attack(it, AttackKind.API_ABUSE)
    fakes = attack(it, AttackKind.FAKE_EVENT)
    wrong = [each for each in it.logins if each.ip in guesses.ips]
    hammering = [each for each in it.visits if each.ip in abuse.ips]

    assert len(wrong) >= 40
    assert not any(each.succeeds for each in wrong)
    assert {each.account for each in wrong} == set(guesses.accounts)
    assert len(guesses.accounts) in {1, 2}
    assert len(guesses.ips) in {2, 3}
    assert guesses.ended - guesses.started < 1
    assert len(hammering) >= 300
    assert {each.wallet for each in hammering} == set(abuse.wallets)
    assert (len(abuse.wallets), len(abuse.ips)) == (1, 1)
    assert 3 <= len(it.forgeries) <= 8
    assert {each.wallet for each in it.forgeries} == set(fakes.wallets)
    assert len(fakes.wallets) in {1, 2}


def test_the_indexer_falls_behind_for_two_days_but_is_never_silent(it: RoundPlan) -> None:
    lag = it.lag
    days = [lag.begins + step / 100 for step in range(-20, 300)]
    slow = [(day, lag.delay_at(day)) for day in days if day < lag.recovers_from]

    assert 1.8 < lag.recovered - lag.begins < 2.4
    assert 0.7 <= max(delay for _, delay in slow) <= 0.85
    assert lag.delay_at(lag.begins) == lag.delay_at(lag.recovered) == 0
    for (day, delay), (later, worse) in pairwise(slow):
        assert worse - delay <= 0.51 * (later - day)


def test_a_small_round_has_everything_but_the_numbers() -> None:
    it = plan(1, SMALL)

    assert len(it.wallets) < 120
    assert {wallet.role for wallet in it.wallets} == set(Role)
    assert {each.kind for each in it.attacks} == set(AttackKind)
