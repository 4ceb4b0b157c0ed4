"""A real OpenSearch: one node, one with TLS and log-in, or a cluster of three."""

import base64
import json
import secrets
import signal
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.servers import machine
from tests.servers.machine import Server
from tests.servers.opensearch_parts import java, plain, secured

PATIENCE = 110.0
COMMON = {
    "cluster.name": "commonwatch-test",
    "network.host": "127.0.0.1",
    "cluster.routing.allocation.disk.threshold_enabled": False,
}
TLS = {
    **{
        f"plugins.security.ssl.{layer}.{key}_filepath": f"certs/{name}"
        for layer in ("transport", "http")
        for key, name in (
            ("pemcert", "node.pem"),
            ("pemkey", "node.key"),
            ("pemtrustedcas", "ca.pem"),
        )
    },
    "plugins.security.ssl.transport.enforce_hostname_verification": False,
    "plugins.security.ssl.http.enabled": True,
    "plugins.security.allow_default_init_securityindex": True,
    "plugins.security.nodes_dn": ["CN=node,O=commonwatch-test"],
    "plugins.security.authcz.admin_dn": ["CN=admin,O=commonwatch-test"],
    "plugins.security.audit.type": "noop",
    "plugins.security.restapi.roles_enabled": ["all_access", "security_rest_api_access"],
}


@dataclass
class Node:
    """One OpenSearch process. authority: the file of the CA that signed its certificate."""

    name: str
    folder: Path
    distribution: Path
    heap: str
    http: int = field(default_factory=machine.free_port)
    transport: int = field(default_factory=machine.free_port)
    password: str = ""
    authority: Path | None = None
    server: Server | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self.authority else 'http'}://127.0.0.1:{self.http}"

    def ask(self, path: str, body: object = None, method: str | None = None) -> Any:
        """Return what the node answers as JSON; raises HTTPError, URLError."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method)
        request.add_header("Content-Type", "application/json")
        context = None
        if self.authority:
            context = ssl.create_default_context(cafile=str(self.authority))
            login = base64.b64encode(f"admin:{self.password}".encode()).decode()
            request.add_header("Authorization", f"Basic {login}")
        with urllib.request.urlopen(request, timeout=20, context=context) as answer:
            return json.load(answer)

    def launch(self, more: dict[str, object]) -> None:
        """Start the node with *more* settings; it answers some seconds later."""
        config = self.folder / "config"
        for part in (config, *(self.folder / name for name in ("data", "logs", "tmp"))):
            part.mkdir(parents=True, exist_ok=True)
        own = {
            "node.name": self.name,
            "path.data": str(self.folder / "data"),
            "path.logs": str(self.folder / "logs"),
            "http.port": self.http,
            "transport.port": self.transport,
        }
        lines = [
            f"{key}: {json.dumps(value)}\n" for key, value in {**COMMON, **own, **more}.items()
        ]
        (config / "opensearch.yml").write_text("".join(lines))
        logging = (self.distribution / "config" / "log4j2.properties").read_bytes()
        (config / "log4j2.properties").write_bytes(logging)
        machine.give(self.folder)
        self.server = machine.start(
            _command(self.distribution, config, self.folder / "tmp", self.heap),
            self.folder,
            inside=self.distribution,
        )

    def await_(self, path: str = "/") -> None:
        """Return when the node answers *path*."""
        if self.server:
            self.server.await_(lambda: self._answers(path), PATIENCE)

    def kill(self) -> None:
        """End the node as a crash does."""
        if self.server:
            self.server.end(signal.SIGKILL)

    def _answers(self, path: str) -> bool:
        try:
            self.ask(path)
        except (urllib.error.URLError, OSError):
            return False
        return True


@dataclass
class Cluster:
    """Three nodes that elect a manager."""

    nodes: list[Node]

    @property
    def urls(self) -> list[str]:
        return [node.url for node in self.nodes]

    def alive(self) -> list[Node]:
        return [node for node in self.nodes if node.server and node.server.is_alive]

    def manager(self) -> Node:
        """Return the node that the others elected."""
        path = "/_cat/cluster_manager?format=json"
        (said,) = self.alive()[0].ask(path)
        return next(node for node in self.nodes if node.name == said["node"])

    def kill_manager(self) -> Node:
        """Kill the elected manager; return it."""
        manager = self.manager()
        manager.kill()
        return manager


@contextmanager
def running(heap: str = "1g") -> Iterator[Node]:
    """Give one plain node; raises Unobtainable where there is none to run."""
    with machine.folder("opensearch") as folder:
        node = Node("n1", folder, machine.reachable(plain(), folder), heap)
        with _ending(node):
            node.launch({"discovery.type": "single-node"})
            node.await_()
            yield node


@contextmanager
def guarded(heap: str = "1g") -> Iterator[Node]:
    """Give one node with TLS that wants a log-in: user ``admin``, the node's password."""
    with machine.folder("opensearch") as folder:
        node = Node("n1", folder, machine.reachable(secured(), folder), heap)
        node.password = secrets.token_hex(12)
        config = folder / "config"
        node.authority = _certificates(config / "certs")
        _people(node, config / "opensearch-security")
        with _ending(node):
            node.launch({"discovery.type": "single-node", **TLS})
            node.await_("/_cluster/health?wait_for_status=yellow")
            yield node


@contextmanager
def cluster(size: int = 3, heap: str = "512m") -> Iterator[Cluster]:
    """Give *size* nodes that have found each other."""
    with ExitStack() as stack:
        nodes = []
        for number in range(1, size + 1):
            folder = stack.enter_context(machine.folder("opensearch"))
            distribution = machine.reachable(plain(), folder)
            nodes.append(Node(f"n{number}", folder, distribution, heap))
            stack.enter_context(_ending(nodes[-1]))
        together: dict[str, object] = {
            "discovery.seed_hosts": [f"127.0.0.1:{node.transport}" for node in nodes],
            "cluster.initial_cluster_manager_nodes": [node.name for node in nodes],
        }
        for node in nodes:
            node.launch(together)
        for node in nodes:
            node.await_(f"/_cluster/health?wait_for_nodes={size}&timeout=10s")
        yield Cluster(nodes)


@contextmanager
def _ending(node: Node) -> Iterator[None]:
    try:
        yield
    finally:
        if node.server:
            node.server.end()


def _command(distribution: Path, config: Path, temporary: Path, heap: str) -> list[str]:
    return [
        str(java() / "bin" / "java"),
        f"-Xms{heap}",
        f"-Xmx{heap}",
        "-XX:+UseSerialGC",
        "-Xss1m",
        "-XX:TieredStopAtLevel=1",  # a quicker start; a bulk request takes longer
        f"-Djava.io.tmpdir={temporary}",
        "-Dfile.encoding=UTF-8",
        "-Djava.awt.headless=true",
        "-Djna.nosys=true",
        "-Dio.netty.noUnsafe=true",
        "-Dio.netty.noKeySetOptimization=true",
        "-Dio.netty.recycler.maxCapacityPerThread=0",
        "-Dlog4j.shutdownHookEnabled=false",
        "-Dlog4j2.disable.jmx=true",
        "-Djava.locale.providers=SPI,CLDR",
        "--add-opens=java.base/java.nio=ALL-UNNAMED",
        "--enable-native-access=ALL-UNNAMED",
        "-javaagent:agent/opensearch-agent.jar",
        "-Dorg.apache.lucene.store.MMapDirectory.sharedArenaMaxPermits=1",
        f"-Dopensearch.path.home={distribution}",
        f"-Dopensearch.path.conf={config}",
        "-Dopensearch.distribution.type=zip",
        "-Dopensearch.bundled_jdk=false",
        "-cp",
        f"{distribution}/lib/*",
        "org.opensearch.bootstrap.OpenSearch",
    ]


def _certificates(folder: Path) -> Path:
    """Make a CA and a certificate for loopback in *folder*; return the CA's."""
    folder.mkdir(parents=True)
    machine.give(folder)
    openssl = str(machine.command("openssl", "openssl"))
    name = "/O=commonwatch-test/CN="
    key = ["-newkey", "rsa:2048", "-nodes"]
    alternative = (
        "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n"
    )
    (folder / "node.ext").write_text(alternative)
    machine.give(folder)
    signing = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"]
    for words in (
        [
            "req",
            "-x509",
            *key,
            "-days",
            "2",
            "-subj",
            f"{name}ca",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
        ],
        ["req", *key, "-subj", f"{name}node", "-keyout", "node.key", "-out", "node.csr"],
        ["x509", "-req", "-in", "node.csr", *signing, "-extfile", "node.ext", "-out", "node.pem"],
    ):
        machine.run([openssl, *words], folder)
    return folder / "ca.pem"


def _people(node: Node, folder: Path) -> None:
    """Write who may log in to *node*: its administrator alone."""
    given = node.distribution / "plugins" / "opensearch-security"
    folder.mkdir(parents=True)
    for path in (given / "config").glob("*.yml"):
        (folder / path.name).write_bytes(path.read_bytes())
    libraries = f"{given}/*:{node.distribution}/lib/*"
    words = ["-cp", libraries, "org.opensearch.security.tools.Hasher", "-p", node.password]
    said = subprocess.run(
        [java() / "bin" / "java", *words], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    hashed = next(line for line in said.splitlines() if line.startswith("$2"))
    admin = {"hash": hashed, "reserved": True, "backend_roles": ["admin"]}
    meta = {"type": "internalusers", "config_version": 2}
    (folder / "internal_users.yml").write_text(json.dumps({"_meta": meta, "admin": admin}))
