"""Run the platform: ``python -m soc.demo.platform --home DIR --port P --suite URL …``."""

import argparse
import socket
import sys
from pathlib import Path

import uvicorn

from soc.demo.platform.app import make_app
from soc.demo.platform.site import Options, Site


class Server(uvicorn.Server):
    """A server that says when it is ready."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then print where."""
        await super().startup(sockets)
        if sockets and not self.should_exit:
            host, port = sockets[0].getsockname()
            sys.stdout.write(f"ready http://{host}:{port}\n")
            sys.stdout.flush()


def arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m soc.demo.platform", description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--suite", required=True, help="address of the suite's front door")
    parser.add_argument("--ingest-token-file", type=Path, required=True)
    parser.add_argument("--edge-token-file", type=Path, required=True)
    parser.add_argument("--day-seconds", type=float, default=6.0)
    return parser.parse_args()


def main() -> None:
    """Serve until SIGTERM."""
    given = arguments()
    site = Site(
        Options(
            home=given.home,
            suite=given.suite,
            ingest_token=given.ingest_token_file.read_text(encoding="utf-8").strip(),
            edge_token=given.edge_token_file.read_text(encoding="utf-8").strip(),
            day_seconds=given.day_seconds,
        )
    )
    # Set here and nowhere else: uvicorn must not believe X-Forwarded-For, the front decides that.
    config = uvicorn.Config(
        make_app(site),
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        timeout_keep_alive=120,
        timeout_graceful_shutdown=2,
    )
    with socket.socket() as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind(("127.0.0.1", given.port))
        door.listen(512)
        Server(config).run(sockets=[door])


if __name__ == "__main__":
    main()
