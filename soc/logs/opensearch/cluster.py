"""Ask a cluster: bounded retries with jitter, and a breaker that lets a sick one rest."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from threading import Event
from typing import Any, TypeVar

import opensearchpy
from opensearchpy.exceptions import ConnectionError as NoConnection
from opensearchpy.exceptions import (
    ConnectionTimeout,
    NotFoundError,
    OpenSearchException,
    SerializationError,
    SSLError,
    TransportError,
)

from soc.clock import jitter, monotonic
from soc.errors import ClusterDown, LogError
from soc.settings import OpenSearch

PASSING = frozenset({408, 429, 500, 502, 503, 504, "TIMEOUT", "N/A"})
"""Statuses after which the same may succeed; a search answers 500 while a node of it goes."""
BUSY = frozenset({429, 502, 503, 504})
"""Statuses of one action after which the same may succeed."""
TOO_LARGE = 413
MOST_BYTES = 8 * 1024 * 1024
"""Of one request, unless one document is larger."""
FEW = 100
"""Documents that are asked for by id at once: they may be large."""
KEPT_ALIVE = "2m"
NO_OPENSEARCH = "what answers at opensearch.urls is no OpenSearch"
WHOLE = "allow_partial_search_results"

Said = TypeVar("Said")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often a question is asked, and when the breaker opens.

    pause: seconds before the second time; doubled each time. opens_after: failures in a row. rests:
    seconds for which it stays open, at first and at most.
    """

    tries: int = 4
    pause: float = 0.2
    opens_after: int = 4
    rests: tuple[float, float] = (1.0, 60.0)


class Cluster:
    """One OpenSearch cluster.

    Raises ClusterDown for whatever may succeed later, LogError for what a person has to mend, and
    opensearchpy's NotFoundError for what is not there.
    """

    def __init__(self, settings: OpenSearch, pace: Pace | None = None) -> None:
        # The library writes failures to the log itself; here they are errors with a reason.
        logging.getLogger("opensearch").setLevel(logging.CRITICAL)
        self._user, self._pace = settings.user, pace or Pace()
        password = settings.password.get_secret_value()
        if settings.ca and not settings.ca.is_file():
            raise LogError(f"opensearch.ca: there is no file {settings.ca}")
        self._client = opensearchpy.OpenSearch(
            hosts=list(settings.urls),
            http_auth=(settings.user, password) if settings.user else None,
            ca_certs=str(settings.ca) if settings.ca else None,
            verify_certs=True,
            timeout=settings.timeout,
            max_retries=0,
        )
        self._failures, self._rests_until, self._why = 0, 0.0, ""
        self._closed = Event()

    def close(self) -> None:
        """Ask nothing twice and write no more: whoever waits for an answer is let go soon."""
        self._closed.set()

    def ask(self, question: Callable[[opensearchpy.OpenSearch], Said]) -> Said:
        """Return what *question* brings, asked again a few times if the cluster is only busy."""
        if monotonic() < self._rests_until:
            raise ClusterDown(f"{self._why}; it is asked again in a moment")
        for turn in range(self._pace.tries):
            try:
                said = question(self._client)
            except SerializationError as garbage:
                raise self._failed(NO_OPENSEARCH) from garbage
            except TransportError as failed:
                self._judge(failed)
                # The time for one answer is over: whoever waits shall not wait so long four times.
                last = turn + 1 == self._pace.tries or isinstance(failed, ConnectionTimeout)
                if last or self._rest(self._pace.pause * 2**turn * jitter()):
                    raise self._failed(_words(failed)) from failed
            else:
                self._failures = 0
                return said
        raise ClusterDown("OpenSearch was not asked")

    def bulk(self, actions: Sequence[bytes]) -> list[dict[str, Any]]:
        """Return what became of each of *actions*, in their order; what is busy is sent again."""
        results: dict[int, dict[str, Any]] = {}
        waiting = list(range(len(actions)))
        for turn in range(self._pace.tries):
            for some in _requests(actions, waiting):
                results.update(zip(some, self._bulk([actions[n] for n in some]), strict=True))
            waiting = [number for number in waiting if results[number]["status"] in BUSY]
            if not waiting:
                return [results[number] for number in range(len(actions))]
            if self._rest(self._pace.pause * 2**turn * jitter()):
                break
        raise ClusterDown(f"OpenSearch is too busy for {len(waiting)} documents: sent again later")

    def search(self, index: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to one search; an index that is not there holds nothing."""
        asked = {"ignore_unavailable": "true", WHOLE: "false"}
        return self.ask(lambda client: client.search(index=index, body=body, params=asked))

    def pages(
        self, index: str, body: dict[str, Any], *, again: bool = True
    ) -> Iterator[list[dict[str, Any]]]:
        """Yield the hits of a search, sorted by what is unique, a page at a time.

        All are as they were at one moment. Where the node that remembers it dies, the rest is as it
        is then: behind what was given, so that nothing is missing and nothing comes twice. again:
        false where the sort is unique at one moment only; then that is a ClusterDown.
        """
        after: dict[str, Any] = {}
        for _ in range(self._pace.tries if again else 1):
            with self._moment(index) as moment:
                if moment is None:
                    return
                # Its end may also be told as shards that do not answer.
                with suppress(NotFoundError, ClusterDown):
                    while hits := self._page(body | after, moment):
                        yield hits
                        if len(hits) < body["size"]:
                            return
                        after = {"search_after": hits[-1]["sort"]}
                    return
        raise ClusterDown("OpenSearch forgets what it is asked about: asked again later")

    def columns(self, places: Sequence[dict[str, str]], root: str) -> list[dict[str, Any] | None]:
        """Return what the document at each of *places* has below *root*; None where is none."""
        found: list[dict[str, Any] | None] = []
        asked = {"_source": root}
        for begin in range(0, len(places), FEW):
            body = {"docs": places[begin : begin + FEW]}
            said = self.ask(partial(_mget, body=body, params=asked))
            found += [one["_source"][root] if one.get("found") else None for one in said["docs"]]
        return found

    def count(self, index: str) -> int:
        """Return how many documents *index* has; raises NotFoundError."""
        said = self.ask(lambda client: client.count(index=index))
        _require_whole(said)
        return int(said["count"])

    def refresh(self, index: str) -> None:
        """Let what was written to *index*, one or more, be found from now on, in every copy."""
        asked = {"ignore_unavailable": "true"}
        _require_whole(self.ask(lambda client: client.indices.refresh(index=index, params=asked)))

    def _bulk(self, actions: list[bytes]) -> list[dict[str, Any]]:
        if self._closed.is_set():
            raise ClusterDown("this process ends: what waits is sent by the next one")
        body = b"\n".join(actions) + b"\n"
        try:
            return _results(self.ask(lambda client: client.bulk(body=body)), len(actions))
        except TransportError as failed:
            if failed.status_code != TOO_LARGE:
                raise
        if len(actions) == 1:
            return [{"status": TOO_LARGE, "error": {"type": "request_too_large"}}]
        half = len(actions) // 2
        return self._bulk(actions[:half]) + self._bulk(actions[half:])

    def _page(self, body: dict[str, Any], moment: str) -> list[dict[str, Any]]:
        asked = body | {"pit": {"id": moment, "keep_alive": KEPT_ALIVE}, "track_total_hits": False}
        found: list[dict[str, Any]] = self.ask(
            lambda client: client.search(body=asked, params={WHOLE: "false"})
        )["hits"]["hits"]
        return found

    @contextmanager
    def _moment(self, index: str) -> Iterator[str | None]:
        """Give a point in time over *index*; None where there is no such index."""
        asked = {
            "keep_alive": KEPT_ALIVE,
            "allow_no_indices": "false",
            "allow_partial_pit_creation": "false",
        }
        try:
            made = self.ask(lambda client: client.create_pit(index=index, params=asked))
        except NotFoundError:
            yield None
            return
        try:
            yield made["pit_id"]
        finally:
            with suppress(OpenSearchException, LogError):  # it ends by itself
                self.ask(lambda client: client.delete_pit(body={"pit_id": [made["pit_id"]]}))

    def _judge(self, failed: TransportError) -> None:
        """Do nothing about what may succeed later; raises LogError for what a person must mend."""
        status = failed.status_code
        if status in {404, TOO_LARGE}:
            raise failed
        if status == 401:  # noqa: PLR2004 - HTTP's own
            raise LogError(
                f"OpenSearch refuses user {self._user!r}: write opensearch.user and .password as "
                "the cluster knows them"
            ) from failed
        if status == 403:  # noqa: PLR2004 - HTTP's own
            raise LogError(f"user {self._user!r} may not do this: {_kind(failed)}") from failed
        if status not in PASSING:
            raise LogError(f"OpenSearch refuses a request: {status} {_kind(failed)}") from failed

    def _rest(self, seconds: float) -> bool:
        """Wait, and return whether to give up because this process ends."""
        return self._closed.wait(seconds)

    def _failed(self, why: str) -> ClusterDown:
        """Count a failure, which may open the breaker; return it as an error."""
        self._failures += 1
        self._why = why
        if self._failures >= self._pace.opens_after:
            least, most = self._pace.rests
            rest = min(least * 2.0 ** min(self._failures - self._pace.opens_after, 30), most)
            self._rests_until = monotonic() + rest * jitter()
        return ClusterDown(why)


def _mget(client: opensearchpy.OpenSearch, **asked: Any) -> Any:  # noqa: ANN401 - JSON
    return client.mget(**asked)


def _requests(actions: Sequence[bytes], numbers: Sequence[int]) -> Iterator[list[int]]:
    """Yield *numbers* of actions that fit into one request each time."""
    some: list[int] = []
    size = 0
    for number in numbers:
        if some and size + len(actions[number]) > MOST_BYTES:
            yield some
            some, size = [], 0
        some.append(number)
        size += len(actions[number])
    if some:
        yield some


def _results(said: object, actions: int) -> list[dict[str, Any]]:
    """Return what *said* tells of so many actions; raises ClusterDown if it does not."""
    items = said.get("items") if isinstance(said, dict) else None
    results = [
        result
        for item in (items if isinstance(items, list) else [])
        for result in (item.values() if isinstance(item, dict) else [])
        if isinstance(result, dict) and isinstance(result.get("status"), int)
    ]
    if len(results) != actions:
        raise ClusterDown(NO_OPENSEARCH)
    return results


def _require_whole(said: dict[str, Any]) -> None:
    """Raise ClusterDown if only a part of the shards answered."""
    if failed := said.get("_shards", {}).get("failed", 0):
        raise ClusterDown(f"{failed} shards of OpenSearch do not answer")


def _words(failed: TransportError) -> str:
    """Return what went wrong, without the library's text, which may hold what was asked."""
    if isinstance(failed, SSLError):
        return "OpenSearch shows a certificate that is not trusted: write its CA as opensearch.ca"
    if isinstance(failed, NoConnection):
        return "OpenSearch cannot be reached at opensearch.urls"
    return f"OpenSearch does not answer: {failed.status_code} {_kind(failed)}".strip()


def _kind(failed: TransportError) -> str:
    """Return the cluster's own name for what went wrong, or nothing."""
    info = failed.info if isinstance(failed.info, dict) else {}
    error = info.get("error")
    kind = error.get("type") if isinstance(error, dict) else None
    return kind if isinstance(kind, str) else ""
