"""What TLP and PAP of an incident let an action tell, and ask, outside."""

from soc.errors import ActionFailed
from soc.incidents import lifecycle, sharing
from soc.respond.action import Action, Leaving
from soc.respond.turn import Turn


def fit_to_leave(turn: Turn, action: Action) -> Action:
    """Return *action* as it may leave: a message about what is TLP:RED says only that it is there.

    Raises ActionFailed where the incident's PAP forbids it. A run without an incident tells and
    asks what its author wrote.
    """
    if action.leaves is Leaving.NOTHING or turn.run.incident is None:
        return action
    number = lifecycle.root(turn.session, turn.run.incident)
    incident = lifecycle.get(turn.session, number)
    if action.leaves is Leaving.TELLS:
        return action.veiled(f"INC-{number}") if sharing.is_secret(incident.tlp) else action
    asks = action.leaves is Leaving.ASKS
    may = sharing.may_look_up if asks else sharing.may_reach_out
    if not may(incident.pap):
        raise ActionFailed(
            "denied", f"INC-{number} is PAP:{incident.pap.upper()}: {action.name} would leave"
        )
    return action
