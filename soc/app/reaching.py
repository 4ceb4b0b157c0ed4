"""What an installation knows of reaching people: mistakes, and a test of each way."""

from typing import Any

from soc.app.suite import Suite
from soc.clock import nonce
from soc.content.document import did_you_mean
from soc.errors import NotFound, SettingsError
from soc.respond.channels import Channels
from soc.respond.messages import Outcome

TITLE = "A test of Commonwatch"
WORDS = "If you can read this, Commonwatch reaches you here. Nothing has happened."


def problems(suite: Suite) -> list[str]:
    """Return what is wrong with channels and secrets."""
    wrong = suite.secrets.problems()
    try:
        Channels(suite.settings.contacts)
    except SettingsError as unusable:
        wrong.append(str(unusable))
    return [f"{suite.home.settings}: {one}" for one in wrong]


def test(suite: Suite, target: str) -> list[dict[str, Any]]:
    """Send a test message to *target*; return what became of it on each way.

    Raises NotFound for a target that contacts do not have.
    """
    contacts = suite.settings.contacts
    if not contacts.knows(target):
        raise NotFound("contact", f"{target}: {did_you_mean(target, contacts.targets)}")
    channels = Channels(contacts)
    messenger = suite.messenger
    outcomes = messenger.deliver(
        f"test:{nonce()}", [target], TITLE, f"{WORDS} It was sent to {target}.", suite.clock.now()
    )
    kept = _row(Outcome("outbox", "sent"), str(suite.home.outbox))
    return [kept, *(_row(one, channels.shown(one.channel)) for one in outcomes)]


def contacts_of(suite: Suite) -> list[dict[str, Any]]:
    """Return every target with its channels, and who is on call now."""
    contacts, now = suite.settings.contacts, suite.clock.now()
    rotas = {f"oncall:{name}": rota.on_call(now) for name, rota in contacts.rotas.items()}
    return [
        {"target": target, "on_call": rotas.get(target), "channels": contacts.ways(target, now)}
        for target in sorted([*contacts.targets, *rotas])
    ]


def _row(outcome: Outcome, place: str) -> dict[str, Any]:
    return {
        "channel": outcome.channel,
        "place": place,
        "state": outcome.state,
        "why": outcome.why or None,
    }
