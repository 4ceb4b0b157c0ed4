"""Syslog as RFC 5424 has it; what sshd says about log-ins is read out of its text."""

from typing import Any

import orjson
import re2

from soc.errors import Refused
from soc.ingest import fields
from soc.model.event import Row

HEADER = re2.compile(
    r"^<(\d{1,3})>1 (\S+) (\S{1,255}) (\S{1,48}) (\S{1,128}) (\S{1,32}) "
    r'(-|(?:\[(?:[^\]"\\]|"(?:[^"\\]|\\.)*")*\])+)(?: (.*))?$',
)
LOGIN = re2.compile(
    r"^(Accepted|Failed) (\S+) for (?:invalid user )?(.{1,64}?) from (\S{1,64}) port \d+"
)
OUTCOME = {"Accepted": "success", "Failed": "failure"}
HIGHEST_PRIORITY = 191


class Syslog:
    """Takes RFC 5424 messages."""

    name = "syslog"
    text = True

    def claims(self, line: str) -> bool:
        """Return whether *line* begins like syslog."""
        return line.startswith("<") and ">1 " in line[:7]

    def parse(self, line: str) -> Row:
        """Return the message as an event; raises Refused for what is not RFC 5424."""
        found = HEADER.match(line)
        if not found or int(found[1]) > HIGHEST_PRIORITY:
            raise Refused("not an RFC 5424 message: begin with <PRI>1 TIMESTAMP HOST APP PID ID SD")
        priority, when, host, app, pid, _, _, said = found.groups()
        message = (said or "").removeprefix("\ufeff")
        moment = fields.moment(when, "TIMESTAMP")
        dataset = "sshd" if app == "sshd" else "syslog"
        login = LOGIN.match(message) if app == "sshd" else None
        document: dict[str, Any] = {
            "@timestamp": moment.isoformat(),
            "event": {"dataset": dataset, "kind": "event", "original": line},
            "host": {"name": host},
            "log": {
                "syslog": {
                    "facility": {"code": int(priority) // 8},
                    "severity": {"code": int(priority) % 8},
                }
            },
            "process": {"name": app, "pid": pid},
            "message": message,
        }
        if login:
            verb, method, user, ip = login.groups()
            document["event"] |= {
                "category": ["authentication"], "action": "login", "outcome": OUTCOME[verb],
            }  # fmt: skip
            document |= {"user": {"name": user}, "source": {"ip": ip}, "sshd": {"method": method}}
        return Row(
            ts=moment,
            raw=orjson.dumps(document).decode(),
            parser=self.name,
            dataset=dataset,
            action="login" if login else None,
            outcome=OUTCOME[login[1]] if login else None,
            user_name=login[3] if login else None,
            src_ip=login[4] if login else None,
            host=None if host == "-" else host,
            message=message[:1024],
        )
