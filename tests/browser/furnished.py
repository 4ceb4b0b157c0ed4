"""More of everything in a site, so that no page is empty: events, a round, a list, a busy queue."""

import json
from datetime import timedelta

from soc.access.permissions import Role
from soc.app.taking import Lines
from soc.incidents.record import record
from soc.model.value import Entity, EntityKind, Severity
from tests.funding.played import play
from tests.web.story import NOW, WALLET, Site, finding, user

ALL = "ola"
"""A person who may do everything."""


def furnish(site: Site) -> None:
    """Put it in."""
    with site.front.writing() as writing:
        writing.add(user(ALL, set(Role)))
    lines = [
        json.dumps(
            {
                "@timestamp": (NOW - timedelta(minutes=n)).isoformat(),
                "event": {"dataset": "shop.access", "action": "request", "outcome": "success"},
                "user": {"name": f"u{n % 3}"},
                "source": {"ip": "192.0.2.7"},
                "wallet": {"address": WALLET},
            }
        ).encode()
        for n in range(60)
    ]
    site.front.store_lines(Lines.of(lines, "shop", "auto"))
    play(site.front.suite.database)
    crowd(site, 12)
    table = f"kind,value,label\nwallet,{WALLET},seen in a drain\n"
    form = {"name": "drainers", "source": "a partner", "text": table}
    answer = site.browser(ALL).post("/lists", data=form)
    assert answer.status_code == 200, answer.text


def crowd(site: Site, count: int, first: int = 0) -> None:
    """Open *count* more incidents, each about a host of its own."""
    suite = site.front.suite
    levels = [Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM]
    found = [
        finding(
            "sigma-web",
            levels[number % 3],
            title=f"Host web-{number} answered 500 to every second donor for ten minutes",
            entity=Entity(kind=EntityKind.HOST, value=f"web-{number}"),
            entities=(),
            matched=(),
            seqs=(),
        )
        for number in range(first, first + count)
    ]
    with site.front.writing() as writing:
        record(writing, found, {}, suite.clock.now(), suite.settings.incidents)
