"""Were new entries of a list seen before they were listed? Asked of the newest stored events.

The text of an event is searched for all values at once; only what may hold one is read as JSON, and
counts where a field has exactly that value. Networks are asked of ``source.ip`` alone, accounts of
fields of a user.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network

from ahocorasick_rs import AhoCorasick

from soc.intelligence.indicator import Entry, Kind
from soc.logs.reader import LogReader
from soc.model.event import Batch, document_of
from soc.model.finding import Finding, Match
from soc.model.shard import events_of, first_of
from soc.model.value import Entity, EntityKind, Severity, bucket_of, entity, short
from soc.store.indicators import Network

RULE = "indicator-in-history"
AT_ONCE = 20_000
MOST_EVENTS = 2_000_000
MOST_FINDINGS = 500
LONGEST = timedelta(seconds=30)
KEPT = 25
"""Numbers of events that one finding names: alerts copy no more."""
BUCKET = timedelta(days=1)
SURE, LIKELY = 0.75, 0.4
DEEPEST = 32
NAMED = (
    ("wallet", EntityKind.WALLET),
    ("user_name", EntityKind.ACCOUNT),
    ("src_ip", EntityKind.IP),
    ("host", EntityKind.HOST),
    ("source", EntityKind.SOURCE),
)
"""Whom an event is about, where an entry names nobody: the first that is there."""


@dataclass(slots=True)
class Seen:
    """What the events of one day say of one entity."""

    entry: Entry
    place: str
    count: int = 0
    first: datetime | None = None
    last: datetime | None = None
    seqs: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Looked:
    """What was looked at, newest first, and what was found. of: how many events are stored."""

    events: int = 0
    of: int = 0
    hits: int = 0
    is_whole: bool = True
    seen: dict[tuple[Entity, datetime], Seen] = field(default_factory=dict)

    @property
    def entities(self) -> int:
        """Return how many entities were seen."""
        return len({who for who, _ in self.seen})


def look_back(reader: LogReader, entries: Sequence[Entry], elapsed: Callable[[], float]) -> Looked:
    """Return what the newest stored events say of *entries*; *elapsed*: a clock in seconds.

    At most so many events, of all shards alike, and for so long, as stand above; ``is_whole`` says
    if that was all.
    """
    told, wanted = Looked(), _Wanted(entries)
    high = reader.upto()
    told.of = events_of(high)
    end = elapsed() + LONGEST.total_seconds()
    while (left := events_of(high)) and entries:
        if told.of - left >= MOST_EVENTS or elapsed() > end:
            told.is_whole = False
            break
        shard = max(high, key=lambda one: high[one] - first_of(one))
        low = max(first_of(shard), high[shard] - AT_ONCE)
        batch = reader.scan(low, AT_ONCE)
        rows = sum(seq <= high[shard] for seq in batch.column("seq"))
        _read(Batch(batch.table.slice(0, rows), high[shard]), wanted, told)
        high[shard] = low
    return told


def findings_of(name: str, digest: str, looked: Looked) -> tuple[list[Finding], int]:
    """Return a finding for each entity and day that was seen, the newest, and how many more."""
    order = sorted(looked.seen, key=lambda key: (key[1], str(key[0])), reverse=True)
    made = [_finding(name, digest, key, looked.seen[key]) for key in order[:MOST_FINDINGS]]
    return made, max(0, len(order) - MOST_FINDINGS)


class _Wanted:
    """All values that are looked for."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        plain = [entry for entry in entries if not entry.is_network]
        self.by_value: dict[str, list[Entry]] = {}
        for entry in plain:
            self.by_value.setdefault(entry.value.lower(), []).append(entry)
        self.networks = [(ip_network(e.value), e) for e in entries if e.is_network]
        self._automaton = AhoCorasick(sorted(self.by_value)) if self.by_value else None

    def may_be_in(self, raw: str) -> bool:
        """Return whether *raw* may hold a value."""
        # A slash may be written with a backslash before it.
        text = raw.lower().replace("\\/", "/")
        return self._automaton is not None and bool(self._automaton.find_matches_as_indexes(text))

    def within(self, address: str | None) -> Entry | None:
        """Return the first network that *address* is in."""
        if not address or not self.networks:
            return None
        try:
            one = ip_address(address)
        except ValueError:
            return None
        return next((entry for network, entry in self.networks if _holds(network, one)), None)

    def in_document(self, document: Mapping[str, object]) -> Iterator[tuple[Entry, str]]:
        """Yield what *document* holds, each with the field that has it."""
        done: set[tuple[Kind, str]] = set()
        for path, text in _leaves(document, (), 0):
            for entry in self.by_value.get(text.lower(), ()):
                if (entry.kind, entry.value) not in done and _fits(entry, path, text):
                    done.add((entry.kind, entry.value))
                    yield entry, ".".join(path)


def _holds(network: Network, address: object) -> bool:
    return getattr(address, "version", 0) == network.version and address in network


def _fits(entry: Entry, path: Sequence[str], text: str) -> bool:
    if entry.kind is Kind.ACCOUNT:
        return "user" in path and text == entry.value
    return entry.kind is not Kind.URL or text == entry.value


def _leaves(
    value: object, path: tuple[str, ...], depth: int
) -> Iterator[tuple[tuple[str, ...], str]]:
    if depth > DEEPEST:
        return
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, (*path, *str(key).split(".")), depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, path, depth + 1)


def _read(batch: Batch, wanted: _Wanted, told: Looked) -> None:
    told.events += len(batch)
    networks = {address: wanted.within(address) for address in set(batch.column("src_ip"))}
    for row, raw in enumerate(batch.column("raw")):
        found: list[tuple[Entry, str]] = []
        if wanted.may_be_in(raw):
            found += wanted.in_document(document_of(raw))
        if (entry := networks[batch.column("src_ip")[row]]) is not None:
            found.append((entry, "source.ip"))
        told.hits += bool(found)
        for entry, place in found:
            _count(batch, row, entry, place, told)


def _count(batch: Batch, row: int, entry: Entry, place: str, told: Looked) -> None:
    who, ts, seq = _who(batch, row, entry), batch.moments[row], batch.column("seq")[row]
    one = told.seen.setdefault((who, bucket_of(ts, BUCKET)), Seen(entry, place))
    one.count += 1
    one.first, one.last = min(one.first or ts, ts), max(one.last or ts, ts)
    if entry.confidence > one.entry.confidence:
        one.entry, one.place = entry, place
    one.seqs = sorted([*one.seqs, seq])[:KEPT]


def _who(batch: Batch, row: int, entry: Entry) -> Entity:
    if entry.is_network:
        return Entity(kind=EntityKind.IP, value=batch.column("src_ip")[row])
    if entry.subject is not None:
        return Entity.parse(entry.subject)
    for column, kind in NAMED:
        if named := entity(kind, batch.column(column)[row]):
            return named
    return Entity(kind=EntityKind.SOURCE, value="unnamed")


def _finding(name: str, digest: str, key: tuple[Entity, datetime], seen: Seen) -> Finding:
    who, day = key
    sure = seen.entry.confidence
    severity = Severity.MEDIUM if sure >= LIKELY else Severity.LOW
    assert seen.first is not None  # noqa: S101 - something was counted
    assert seen.last is not None  # noqa: S101 - as above
    return Finding(
        rule=RULE,
        rule_digest=digest,
        title=f"{short(who.value)} was seen here before the list {name} named it",
        severity=Severity.HIGH if sure >= SURE else severity,
        entity=who,
        entities=(who,),
        facet=name,
        bucket=day,
        first=seen.first,
        last=seen.last,
        count=seen.count,
        matched=(Match(selection=name, field=seen.place, value=seen.entry.value),),
        seqs=tuple(seen.seqs),
    )
