"""Send a message by a channel, through Apprise, within its time; say why where that fails."""

from __future__ import annotations

import importlib.util
import logging
import re
import warnings
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from soc.contacts import ALIAS, Contacts
from soc.errors import SettingsError
from soc.respond.deadline import within
from soc.respond.secrets import scrub

if TYPE_CHECKING:
    from apprise import Apprise

LONGEST_REASON = 300
SHORTEST_PART = 6
"""Parts of a URL that are shorter are words such as ``json``, and no secrets."""


class Channels:
    """The channels that settings name. Raises SettingsError for one that Apprise cannot use."""

    def __init__(self, contacts: Contacts) -> None:
        urls = {name: kept.get_secret_value() for name, kept in contacts.channels.items()}
        self._urls = {name: url for name, url in urls.items() if not url.startswith(ALIAS)}
        self._timeout = contacts.timeout
        self._busy = {name: Lock() for name in self._urls}
        self._made = {name: _service(name, url) for name, url in sorted(self._urls.items())}

    def __contains__(self, name: object) -> bool:
        """Return whether there is such a channel."""
        return name in self._made

    def shown(self, name: str) -> str:
        """Return the service and the host of a channel: all of its URL that is surely no secret."""
        service: Any = self._made[name][0]
        split = urlsplit(str(service.url(privacy=True)))
        return f"{split.scheme}://{split.netloc.rpartition('@')[2]}"

    def send(self, name: str, title: str, text: str, *, urgent: bool) -> str:
        """Send a message; return nothing if it was taken, else why not.

        One at a time by each channel: what hangs keeps no more than the next one waiting.
        """
        try:
            return within(self._timeout, lambda: self._send(name, title, text, urgent=urgent))
        except TimeoutError as late:
            return str(late)

    def _send(self, name: str, title: str, text: str, *, urgent: bool) -> str:
        busy = self._busy[name]
        if not busy.acquire(timeout=self._timeout):
            return "the message before is still on its way"
        try:
            return self._tell(name, title, text, urgent=urgent)
        finally:
            busy.release()

    def _tell(self, name: str, title: str, text: str, *, urgent: bool) -> str:
        from apprise import NotifyFormat, NotifyType  # the extra notify

        kind = NotifyType.WARNING if urgent else NotifyType.INFO
        title = " ".join(title.split())  # a line break would begin another header of a mail
        body = text or title
        with self._made[name].notify(
            body, title=title, notify_type=kind, body_format=NotifyFormat.TEXT
        ) as result:
            if result:
                return ""
            said = " ".join(entry.message for entry in result.logs())
        reason = scrub(said, _parts(self._urls[name]))[:LONGEST_REASON]
        return reason or "the message was not taken"


def _service(name: str, url: str) -> Apprise:
    if importlib.util.find_spec("apprise") is None:
        raise SettingsError("contacts.channels: install the extra: pip install commonwatch[notify]")
    from apprise import Apprise, AppriseAsset, PersistentStoreMode  # the extra notify

    # What Apprise says may name what it was given: it is kept with the delivery, without secrets.
    logging.getLogger("apprise").propagate = False
    asset = AppriseAsset(
        app_id="Commonwatch",
        app_desc="Commonwatch",
        async_mode=False,
        http_redirects=False,
        service_timeout=0,  # the deadline is ours
        storage_mode=PersistentStoreMode.MEMORY,
    )
    with warnings.catch_warnings():
        # The first call imports every service there is, of which one wants a module that goes away.
        warnings.simplefilter("ignore", DeprecationWarning)
        service = Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if service is None:
        raise SettingsError(f"contacts.channels.{name}: Apprise cannot use this URL")
    service.redirects = False  # whatever the URL says: nobody checked where they lead
    made = Apprise(asset=asset)
    made.add(service)
    return made


def _parts(url: str) -> set[str]:
    """Return what may be secret in *url*: all but its scheme and host."""
    split = urlsplit(url)
    host = split.hostname or ""
    words = re.split(r"[/:@?&=#]", url.partition("://")[2])
    found = {part for word in words for part in (word, unquote(word))}
    return {part for part in found if len(part) >= SHORTEST_PART and part.lower() != host}
