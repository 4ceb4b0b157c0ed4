"""A real nginx with the configuration that our page shows, in front of a small platform."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers import machine
from tests.servers.machine import Server

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "hold-back-at-nginx.md"
SESSIONS = {"ada": "0xAA", "bob": "0xbb", "cas": "0xcc", "dan": "0xdd"}
MAIN = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream platform {{ server 127.0.0.1:{platform}; }}
    server {{
        listen 127.0.0.1:{platform};
        location /own/403 {{ return 403 "the platform's own"; }}
        location / {{ return 200 "the platform"; }}
    }}
{http}
    server {{
        listen 127.0.0.1:{port};
{server}
    }}
}}
"""


@dataclass(frozen=True)
class Nginx:
    """A running nginx. reload: the command, for the settings of a suite."""

    port: int
    folder: Path
    server: Server
    reload: list[str]


def gather() -> Path:
    """Bring nginx onto this machine; raises Unobtainable."""
    return machine.command("nginx", "nginx")


@contextmanager
def prepared(suite_port: int, token: str) -> Iterator[tuple[Nginx, Path]]:
    """Give an nginx that asks a suite, and the file that it reads as its map."""
    program = gather()
    with machine.folder("nginx") as folder:
        port, platform = machine.free_port(), machine.free_port()
        shown = PAGE.read_text().replace("127.0.0.1:8780", f"127.0.0.1:{suite_port}")
        # Tests run on machines that are busy: what is slow there is not away.
        shown = shown.replace("soc_TOKEN", token).replace("250ms;", "1s;")
        parts = {
            part: "\n".join(re.findall(rf"```nginx\n# part: {part}\n(.*?)```", shown, re.DOTALL))
            for part in ("http", "server")
        }
        settings = folder / "nginx.conf"
        settings.write_text(MAIN.format(folder=folder, port=port, platform=platform, **parts))
        (folder / "sessions.map").write_text(
            "".join(f'"{name}" "{wallet}";\n' for name, wallet in SESSIONS.items())
        )
        (folder / "edge").mkdir()
        quarantines = folder / "edge" / "nginx.map"
        quarantines.touch()
        machine.give(folder)
        folder.chmod(0o755)
        command = [str(program), "-e", "stderr", "-p", str(folder), "-c", str(settings)]
        server = machine.start(command, folder)
        try:
            server.await_(lambda: machine.answers(port), 20)
            yield Nginx(port, folder, server, [*command, "-s", "reload"]), quarantines
        finally:
            server.end()
