"""nginx access logs in the ``combined`` format."""

from datetime import UTC, datetime

import orjson
import re2

from soc.errors import Refused
from soc.model.event import Row

LINE = re2.compile(
    r'^(\S{1,64}) \S+ (\S{1,256}) \[([^\]]{1,40})\] "([^"]*)" (\d{3}) (\d+|-)'
    r'(?: "([^"]*)" "([^"]*)")?'
)
TIME = "%d/%b/%Y:%H:%M:%S %z"
ERROR = 400


class Nginx:
    """Takes lines of nginx's default access log."""

    name = "nginx"
    text = True

    def claims(self, line: str) -> bool:
        """Return whether *line* looks like an access log."""
        return LINE.match(line) is not None

    def parse(self, line: str) -> Row:
        """Return the request as an event; raises Refused for a line of another shape."""
        found = LINE.match(line)
        if not found:
            raise Refused("not nginx's combined log format")
        ip, user, when, request, status, size, referrer, agent = found.groups()
        try:
            moment = datetime.strptime(when, TIME).astimezone(UTC)
        except ValueError as wrong:
            raise Refused(f"no time in {when!r}: write 23/Nov/2026:12:00:00 +0000") from wrong
        method, _, target = request.partition(" ")
        path, _, query = target.rpartition(" ")[0].partition("?")
        outcome = "failure" if int(status) >= ERROR else "success"
        document = {
            "@timestamp": moment.isoformat(),
            "event": {
                "dataset": "nginx.access", "kind": "event", "category": ["web"],
                "action": "request", "outcome": outcome, "original": line,
            },
            "source": {"ip": ip},
            "user": {"name": None if user == "-" else user},
            "http": {
                "request": {"method": method, "referrer": referrer},
                "response": {"status_code": int(status), "bytes": int(size) if size != "-" else 0},
            },
            "url": {"path": path or target, "query": query or None},
            "user_agent": {"original": agent},
        }  # fmt: skip
        return Row(
            ts=moment,
            raw=orjson.dumps(document).decode(),
            parser=self.name,
            dataset="nginx.access",
            action="request",
            outcome=outcome,
            user_name=None if user == "-" else user,
            src_ip=ip,
            message=request[:1024],
        )
