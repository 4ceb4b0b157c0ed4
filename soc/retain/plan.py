"""What is due to be archived and deleted, decided and not done."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from soc.content.digest import digest_of
from soc.content.kinds import duration_text
from soc.logs.chain import Segment
from soc.model.value import Utc, Value
from soc.retain.policy import DataClass, Policy, Store


class Act(StrEnum):
    """What is to be done. archive: to cold storage, verified. delete: for good."""

    ARCHIVE = "archive"
    DELETE = "delete"


class Item(Value):
    """One thing that is due: segments of one class and day, or rows of one class in a table.

    due: since when it may be done. delete_by: when it must be, None for an archive.
    """

    data_class: str
    store: Store
    day: date | None
    act: Act
    rows: int
    bytes: int
    segments: int
    digest: str
    due: Utc | None
    delete_by: Utc | None
    reason: str


class Plan(Value):
    """All that is due. unknown: classes of stored segments that the policy does not have."""

    policy: str
    items: tuple[Item, ...]
    unknown: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Return the hash of exactly what would be done; it does not change while that does not."""
        return digest_of(self.model_dump(mode="json", by_alias=True))


def plan(
    policy: Policy, segments: Iterable[Segment], now: datetime, over_age: Mapping[str, int] = {}
) -> Plan:
    """Return what *policy* makes due at *now* of *segments*.

    over_age: for classes of tables, how many rows are older than their minimum. Segments are taken
    whole: a segment's age is that of its youngest event.
    """
    classes = {one.id: one for one in policy.classes}
    groups: defaultdict[tuple[str, date], list[Segment]] = defaultdict(list)
    for segment in segments:
        groups[segment.data_class, segment.day].append(segment)
    items = [
        item
        for (name, day), group in sorted(groups.items())
        if name in classes and (item := _of_segments(classes[name], day, group, now))
    ]
    rows = [_of_rows(classes[name], count) for name, count in sorted(over_age.items()) if count]
    unknown = sorted({name for name, _ in groups} - set(classes))
    return Plan(policy=policy.digest, items=(*items, *rows), unknown=tuple(unknown))


def born(segment: Segment) -> datetime:
    """Return when the youngest event of *segment* happened, at most the end of its day."""
    end_of_day = datetime.combine(segment.day + timedelta(days=1), time(), UTC)
    return min(segment.max_ts, end_of_day)


def _of_segments(one: DataClass, day: date, group: list[Segment], now: datetime) -> Item | None:
    youngest = max(map(born, group))
    if one.keep_at_least is None or one.delete_no_later_than is None:
        return None
    act, after = Act.DELETE, one.keep_at_least
    if now < youngest + after and one.archive_after is not None:
        act, after = Act.ARCHIVE, one.archive_after
    if now < youngest + after:
        return None
    return Item(
        data_class=one.id,
        store=Store.EVENTS,
        day=day,
        act=act,
        rows=sum(segment.rows for segment in group),
        bytes=sum(segment.bytes for segment in group),
        segments=len(group),
        digest=digest_of(sorted(segment.sha256 for segment in group)),
        due=youngest + after,
        delete_by=youngest + one.delete_no_later_than if act is Act.DELETE else None,
        reason=_reason(one, act, after),
    )


def _of_rows(one: DataClass, count: int) -> Item:
    assert one.keep_at_least is not None  # noqa: S101 - only classes with an end are counted
    return Item(
        data_class=one.id,
        store=one.store,
        day=None,
        act=Act.DELETE,
        rows=count,
        bytes=0,
        segments=0,
        digest=digest_of({"class": one.id, "rows": count}),
        due=None,
        delete_by=None,
        reason=_reason(one, Act.DELETE, one.keep_at_least),
    )


def _reason(one: DataClass, act: Act, after: timedelta) -> str:
    why = ", ".join(one.covers) or one.reason
    verb = "archived" if act is Act.ARCHIVE else "kept"
    ago = "after" if act is Act.ARCHIVE else "for"
    return f"{one.title}: {verb} {ago} {duration_text(after)} ({why})"
