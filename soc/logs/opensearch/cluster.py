"""Ask a cluster: bounded retries with jitter, and a breaker that lets a sick one rest."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import opensearchpy
from opensearchpy.exceptions import (
    ConnectionError as NoConnection,
)
from opensearchpy.exceptions import (
    NotFoundError,
    OpenSearchException,
    TransportError,
)

from soc.clock import jitter, monotonic, pause
from soc.errors import ClusterDown
from soc.settings import OpenSearch

TRIES = 4
FIRST_PAUSE = 0.2
OPENS_AFTER = 4
"""Failures in a row that open the breaker."""
RESTS = (1.0, 60.0)
"""Seconds that the breaker stays open, at first and at most."""
PASSING = frozenset({408, 429, 502, 503, 504, "TIMEOUT", "N/A"})
"""Statuses after which the same may succeed."""
KEPT_ALIVE = "2m"

Said = TypeVar("Said")


class Cluster:
    """One OpenSearch cluster. Raises ClusterDown for whatever may succeed later."""

    def __init__(self, settings: OpenSearch) -> None:
        self._settings = settings
        password = settings.password.get_secret_value()
        self._client = opensearchpy.OpenSearch(
            hosts=list(settings.urls),
            http_auth=(settings.user, password) if settings.user else None,
            ca_certs=str(settings.ca) if settings.ca else None,
            verify_certs=True,
            timeout=settings.timeout,
            max_retries=0,
        )
        self._failures, self._rests_until = 0, 0.0

    def ask(self, question: Callable[[opensearchpy.OpenSearch], Said]) -> Said:
        """Return what *question* brings, asked again a few times if the cluster is only busy."""
        if monotonic() < self._rests_until:
            raise ClusterDown("the cluster failed just now: asked again in a moment")
        for turn in range(TRIES):
            try:
                said = question(self._client)
            except (NoConnection, TransportError) as failed:
                if getattr(failed, "status_code", "N/A") not in PASSING:
                    raise
                if turn + 1 == TRIES:
                    self._failed()
                    raise ClusterDown(f"OpenSearch does not answer: {_words(failed)}") from failed
                pause(FIRST_PAUSE * 2**turn * jitter())
            else:
                self._failures = 0
                return said
        raise ClusterDown("OpenSearch was not asked")

    def bulk(self, lines: Sequence[bytes]) -> list[dict[str, Any]]:
        """Return what became of each action in *lines*, in their order."""
        body = b"\n".join(lines) + b"\n"
        said = self.ask(lambda client: client.bulk(body=body))
        return [next(iter(item.values())) for item in said["items"]]

    def search(self, index: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to one search; an index that is not there holds nothing."""
        return self.ask(
            lambda client: client.search(
                index=index, body=body, params={"ignore_unavailable": "true"}
            )
        )

    def pages(self, index: str, body: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
        """Yield the hits of a sorted search, all as they were at one moment, a page at a time."""
        with self._moment(index) as moment:
            if moment is None:
                return
            after: dict[str, Any] = {}
            while hits := self._page(body | after, moment):
                yield hits
                if len(hits) < body["size"]:
                    return
                after = {"search_after": hits[-1]["sort"]}

    def _page(self, body: dict[str, Any], moment: str) -> list[dict[str, Any]]:
        asked = body | {"pit": {"id": moment, "keep_alive": KEPT_ALIVE}, "track_total_hits": False}
        found: list[dict[str, Any]] = self.ask(lambda client: client.search(body=asked))["hits"][
            "hits"
        ]
        return found

    @contextmanager
    def _moment(self, index: str) -> Iterator[str | None]:
        """Give a point in time over *index*; None where there is no such index."""
        try:
            made = self.ask(
                lambda client: client.create_pit(
                    index=index, params={"keep_alive": KEPT_ALIVE, "allow_no_indices": "false"}
                )
            )
        except NotFoundError:
            yield None
            return
        try:
            yield made["pit_id"]
        finally:
            with suppress(OpenSearchException, ClusterDown):  # it ends by itself
                self.ask(lambda client: client.delete_pit(body={"pit_id": [made["pit_id"]]}))

    def _failed(self) -> None:
        self._failures += 1
        if self._failures >= OPENS_AFTER:
            least, most = RESTS
            rest = min(least * 2 ** (self._failures - OPENS_AFTER), most)
            self._rests_until = monotonic() + rest * jitter()


def _words(failed: Exception) -> str:
    """Return what went wrong, without addresses that may carry a password."""
    return f"{type(failed).__name__} {getattr(failed, 'status_code', '')}".strip()
