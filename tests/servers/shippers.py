"""Real shippers on this machine: Debian's, unpacked without installing, and npm's."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers import machine
from tests.servers.machine import Server, Unobtainable

LIBRARIES = Path("usr/lib/x86_64-linux-gnu")
RSYSLOG = ("rsyslog", "rsyslog-elasticsearch", "rsyslog-gnutls", "libestr0", "libfastjson4", "liblognorm5")  # fmt: skip
SYSLOG_NG = ("syslog-ng-core", "syslog-ng-mod-http", "libivykis0", "libpcre3", "libnet1", "libwrap0")  # fmt: skip
CLIENT = "@opensearch-project/opensearch@3.9.0"
PATIENCE = 60.0


def unpacked(name: str, packages: tuple[str, ...]) -> Path:
    """Return the folder that Debian's *packages* lie in; raises Unobtainable.

    Two of them exclude each other, and none is wanted on the machine: they are not installed.
    """
    whole = machine.cache() / name
    with machine.alone("apt"):
        if (whole / "complete").is_file():
            return whole
        if not shutil.which("apt-get") or not shutil.which("dpkg"):
            raise Unobtainable(f"{name} is not here: apt-get download {' '.join(packages)}")
        shutil.rmtree(whole, ignore_errors=True)
        whole.mkdir(parents=True)
        _run(["apt-get", "-qq", "update"], whole, needed=False)
        _run(["apt-get", "-qq", "download", *packages], whole)
        for package in sorted(whole.glob("*.deb")):
            _run(["dpkg", "-x", str(package), str(whole)], whole)
        (whole / "complete").touch()
    return whole


def node_modules() -> Path:
    """Return the folder that npm put the client for Node into; raises Unobtainable."""
    folder = machine.cache() / "opensearch-js"
    with machine.alone("npm"):
        if (folder / "complete").is_file():
            return folder
        if not shutil.which("npm") or not shutil.which("node"):
            raise Unobtainable(f"npm and node are not here: {CLIENT}")
        folder.mkdir(parents=True, exist_ok=True)
        words = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder)]
        _run([*words, CLIENT], folder)
        (folder / "complete").touch()
    return folder


def gather() -> None:
    """Bring all of them onto this machine."""
    unpacked("rsyslog", RSYSLOG)
    unpacked("syslog-ng", SYSLOG_NG)
    node_modules()


@contextmanager
def rsyslog(folder: Path, recipe: str, listen: int) -> Iterator[Server]:
    """Run rsyslog with *recipe* behind a TCP input on port *listen*."""
    root = machine.reachable(unpacked("rsyslog", RSYSLOG), folder)
    modules = root / LIBRARIES / "rsyslog"
    settings = folder / "rsyslog.conf"
    settings.write_text(
        f'global(workDirectory="{folder}" maxMessageSize="64k")\n'
        f'module(load="imtcp")\ninput(type="imtcp" port="{listen}" address="127.0.0.1")\n{recipe}'
    )
    command = [
        root / "usr/sbin/rsyslogd",
        "-n",
        "-f",
        settings,
        "-i",
        folder / "pid",
        "-M",
        modules,
    ]
    with _running(command, folder, root / LIBRARIES, listen) as server:
        yield server


@contextmanager
def syslog_ng(folder: Path, recipe: str, listen: int) -> Iterator[Server]:
    """Run syslog-ng with *recipe* behind a network source on port *listen*.

    Its disk buffer lies in *folder*: the place that Debian made for it is not there.
    """
    recipe = recipe.replace("disk-buffer(", f'disk-buffer(dir("{folder}") ')
    root = machine.reachable(unpacked("syslog-ng", SYSLOG_NG), folder)
    modules = root / "usr/lib/syslog-ng/3.38"
    settings = folder / "syslog-ng.conf"
    settings.write_text(
        f"@version: 3.38\n{recipe}\n"
        f'source s_net {{ network(ip("127.0.0.1") port({listen}) transport("tcp") flags(syslog-protocol)); }};\n'
        "log { source(s_net); destination(d_commonwatch); flags(flow-control); };\n"
    )
    places = ["--persist-file", folder / "persist", "--pidfile", folder / "pid", "--control", folder / "ctl"]  # fmt: skip
    command = [root / "usr/sbin/syslog-ng", "-F", "-f", settings, "--module-path", modules, *places]
    libraries = f"{root / LIBRARIES}:{root}/usr/lib/syslog-ng:{root}/lib/x86_64-linux-gnu"
    with _running(command, folder, libraries, listen) as server:
        yield server


@contextmanager
def _running(
    command: list[str | Path], folder: Path, libraries: str | Path, port: int
) -> Iterator[Server]:
    machine.give(folder)
    server = machine.start(command, folder, environ={"LD_LIBRARY_PATH": str(libraries)})
    try:
        server.await_(lambda: machine.answers(port), PATIENCE)
        yield server
    finally:
        server.end(signal.SIGTERM)


def _run(command: list[str], folder: Path, *, needed: bool = True) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if needed and done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason"])[-1]
        raise Unobtainable(f"{' '.join(command[:3])} failed: {last}")
