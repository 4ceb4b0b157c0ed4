"""Evidence about playbooks: that one can run, has run, and that a second person decided."""

from sqlmodel import Session, col, func, select

from soc.content.digest import digest_of
from soc.model.value import rfc3339
from soc.store.tables import Approval, ApprovalVote, Effect, Run
from soc.threats.evidence.look import Observation, Sight
from soc.threats.model import Evidence
from soc.threats.scale import Proof

ENDED = ("done", "failed", "needs_human")
DECIDED = ("approved", "rejected")
ANY = "any"


class Enabled:
    """The playbook loads, and the rules that start it are loaded too."""

    kind, about, proof = "playbook.enabled", "playbook", Proof.E1

    def observe(self, asked: Evidence, sight: Sight) -> Observation | None:
        """Return whether it can be started; a rule that is missing is a failure."""
        if sight.alive is None:
            return None
        playbook = sight.playbooks.get(asked.ref)
        rules = playbook.on.incident.rules if playbook and playbook.on.incident else ()
        missing = sorted(set(rules) - set(sight.rules))
        value, words = "loaded", f"{asked.ref} loads, and so do its rules"
        if playbook is None:
            value, words = "missing", f"{asked.ref} does not load"
        elif missing:
            value, words = "idle", f"{asked.ref} waits for {missing[0]}, which is not loaded"
        seen = {"playbook": playbook.digest if playbook else None, "missing": missing}
        return Observation(
            value=value,
            at=sight.alive,
            digest=digest_of(seen),
            words=words,
            failing=value != "loaded",
        )


class Ran:
    """The playbook was run to its end, in real operation."""

    kind, about, proof = "playbook.run", "playbook", Proof.E3

    def observe(self, asked: Evidence, sight: Sight) -> Observation | None:
        """Return the newest ended run; one of an earlier version proves as much as a test."""
        query = select(Run).where(
            col(Run.playbook) == asked.ref,
            col(Run.kind) == "playbook",
            col(Run.state).in_(ENDED),
            col(Run.finished) <= sight.now,
        )
        newest = query.order_by(col(Run.finished).desc(), col(Run.id).desc())
        run = sight.session.exec(newest).first()
        if run is None or run.finished is None:
            return None
        playbook = sight.playbooks.get(asked.ref)
        is_earlier = playbook is not None and playbook.digest != run.digest
        held = _held(sight.session, run)
        version = ", in an earlier version" if is_earlier else ""
        effects = f", {held} effects came into force" if held else ""
        seen = {"run": run.id, "playbook": run.digest, "state": run.state, "effects": held}
        return Observation(
            value=run.state,
            at=run.finished,
            digest=digest_of({**seen, "at": rfc3339(run.finished)}),
            words=f"RUN-{run.id} of {asked.ref}{version}: {run.state}{effects}",
            failing=run.state != "done",
            proof=Proof.E2 if is_earlier else None,
        )


class FourEyes:
    """A question was decided by another person than the one who asked for the run."""

    kind, about, proof = "approval.four_eyes", "", Proof.E3

    def observe(self, asked: Evidence, sight: Sight) -> Observation | None:
        """Return the newest decision, in runs of the playbook ``ref`` or of any."""
        query = (
            select(Approval, Run)
            .join(Run, col(Approval.run) == col(Run.id))
            .where(col(Approval.state).in_(DECIDED), col(Approval.decided) <= sight.now)
            .order_by(col(Approval.decided).desc(), col(Approval.id).desc())
        )
        if asked.ref not in {"", ANY}:
            query = query.where(col(Run.playbook) == asked.ref)
        found = sight.session.exec(query).first()
        if found is None or found[0].decided is None:
            return None
        approval, run = found
        votes = select(ApprovalVote.person).where(col(ApprovalVote.approval) == approval.id)
        persons = {f"user:{person}" for person in sight.session.exec(votes)}
        others = len(persons - {run.requested_by})
        seen = {"approval": approval.id, "digest": approval.digest, "state": approval.state}
        return Observation(
            value=approval.state,
            at=found[0].decided,
            digest=digest_of({**seen, "others": others}),
            words=f"question {approval.id} was {approval.state} by {others} other than who asked",
            failing=not others,
        )


def _held(session: Session, run: Run) -> int:
    query = select(func.count()).select_from(Effect)
    return session.exec(
        query.where(col(Effect.run) == run.id, col(Effect.active).is_not(None))
    ).one()
