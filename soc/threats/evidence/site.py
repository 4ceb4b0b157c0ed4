"""Evidence about the installation: what arrives, how it is set, whether its own log is whole."""

from datetime import UTC, datetime, time

from sqlmodel import col, func, select

from soc.access.accounts import FAILURES, LOCKED_FOR
from soc.audit import is_whole
from soc.content.digest import digest_of
from soc.model.value import rfc3339
from soc.store.tables import AuditRow, LoginFailure
from soc.threats.evidence.look import Observation, Sight
from soc.threats.model import Evidence
from soc.threats.scale import Proof
from soc.threats.words import withheld


class Fresh:
    """Events of a dataset, or of a source (``source:NAME``), still arrive."""

    kind, about, proof = "source.freshness", "", Proof.E3

    def observe(self, asked: Evidence, sight: Sight) -> Observation | None:
        """Return the newest event; its age is what counts."""
        newest = sight.newest.get(asked.ref)
        if newest is None:
            return None
        seen = {"of": asked.ref, "newest": rfc3339(newest)}
        words = f"newest event of {withheld(asked.ref)}"
        return Observation(value=rfc3339(newest), at=newest, digest=digest_of(seen), words=words)


class Setting:
    """A setting is what the model expects."""

    kind, about, proof = "config.snapshot", "setting", Proof.E1

    def observe(self, asked: Evidence, sight: Sight) -> Observation | None:
        """Return the setting; one that is not as expected is a failure."""
        if sight.alive is None or asked.ref not in sight.settings:
            return None
        value = sight.settings[asked.ref]
        is_wrong = asked.expect is not None and (
            (bool(asked.expect.one_of) and str(value) not in asked.expect.one_of)
            or (asked.expect.at_most is not None and not _at_most(value, asked.expect.at_most))
        )
        return Observation(
            value=str(value),
            at=sight.alive,
            digest=digest_of({"setting": asked.ref, "value": value}),
            words=f"{asked.ref} is {withheld(str(value))}",
            failing=is_wrong,
        )


class AuditWhole:
    """Every act in the audit log still has the hash of what it says."""

    kind, about, proof = "audit.whole", "", Proof.E3

    def observe(self, asked: Evidence, sight: Sight) -> Observation | None:
        """Return how many acts there are; one that was changed is a failure."""
        _ = asked  # there is one audit log
        upto = select(func.count(), func.max(AuditRow.at)).where(col(AuditRow.at) <= sight.now)
        count, _at = sight.session.exec(upto).one()
        last = select(AuditRow).where(col(AuditRow.at) <= sight.now)
        row = sight.session.exec(
            last.order_by(col(AuditRow.at).desc(), col(AuditRow.id).desc())
        ).first()
        if row is None:
            return None
        whole = is_whole(sight.session)
        return Observation(
            value=count,
            at=row.at,
            digest=digest_of({"acts": count, "last": row.hash, "whole": whole}),
            words=f"{count} acts, {'all as written' if whole else 'at least one changed'}",
            failing=not whole,
        )


class RetentionPlan:
    """The policy of retention loads, and maps every sentence to one class."""

    kind, about, proof = "retention.plan", "", Proof.E1

    def observe(self, asked: Evidence, sight: Sight) -> Observation | None:
        """Return the policy; one that does not load is a failure."""
        _ = asked  # there is one policy
        if sight.alive is None:
            return None
        if sight.policy is None:
            seen = digest_of({"policy": None, "why": sight.unkept})
            words = "the policy of retention does not load"
            return Observation(
                value="missing", at=sight.alive, digest=seen, words=words, failing=True
            )
        covered = sum(len(one.covers) for one in sight.policy.classes)
        return Observation(
            value=covered,
            at=sight.alive,
            digest=sight.policy.digest,
            words=f"policy {sight.policy.name}, version {sight.policy.version}: "
            f"{covered} sentences in {len(sight.policy.classes)} classes",
        )


class Lockout:
    """Failed log-ins to the suite locked a name and an address, as they should."""

    kind, about, proof = "login.lockout", "", Proof.E3

    def observe(self, asked: Evidence, sight: Sight) -> Observation | None:
        """Return the newest lock-out."""
        _ = asked  # there is one door
        query = select(LoginFailure).where(col(LoginFailure.at) <= sight.now)
        by_pair: dict[tuple[str, str], list[datetime]] = {}
        for row in sight.session.exec(query.order_by(col(LoginFailure.at))):
            by_pair.setdefault((row.name, row.address), []).append(row.at)
        locked = [at for times in by_pair.values() for at in _locks(times)]
        if not locked:
            return None
        seen = {"lock-outs": len(locked), "newest": rfc3339(max(locked))}
        return Observation(
            value=len(locked),
            at=max(locked),
            digest=digest_of(seen),
            words=f"log-in was locked after {FAILURES} failures, {len(locked)} times so far",
        )


class Attested:
    """Somebody says so; it never counts for more than E0."""

    kind, about, proof = "attestation", "", Proof.E0

    def observe(self, asked: Evidence, sight: Sight) -> Observation | None:
        """Return the statement, seen on the day it was made."""
        if asked.on is None or not asked.by or not asked.says:
            return None
        at = datetime.combine(asked.on, time(), UTC)
        if at > sight.now:
            return None
        seen = {"by": asked.by, "on": asked.on.isoformat(), "says": asked.says, "ref": asked.ref}
        words = f"{withheld(asked.by)} says: {withheld(asked.says)}"
        return Observation(value=asked.on.isoformat(), at=at, digest=digest_of(seen), words=words)


class Documented(Attested):
    """A document says so; it never counts for more than E0."""

    kind = "document"


def _at_most(value: str | int | None, most: int) -> bool:
    return isinstance(value, int) and value <= most


def _locks(times: list[datetime]) -> list[datetime]:
    """Return when the last of enough failures within the time of a lock came."""
    spans = zip(times, times[FAILURES - 1 :], strict=False)
    return [last for first, last in spans if last - first < LOCKED_FOR]
