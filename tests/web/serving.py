"""Start a real ``soc serve`` on a home, and certificates of an authority of our own."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from itertools import islice
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from soc.access import keys
from soc.app.suite import Suite
from soc.store.session import session
from soc.watch.supervisor import REFUSED
from tests import stores

BEGIN = datetime.now(UTC) - timedelta(days=1)


@dataclass
class Served:
    """A running suite. ready: the addresses that it printed, in the order of settings."""

    home: Path
    process: subprocess.Popen[str]
    ready: list[str]

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(30)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(30)


def make_home(path: Path, settings: str = "", **scopes: str) -> dict[str, str]:
    """Make a home with *settings*; return a token for each name and scope."""
    stores.home(path)
    (path / "settings.yml").write_text(settings)
    suite = Suite(path)
    with session(suite.database) as writing:
        now = suite.clock.now()
        made = {n: keys.create_token(writing, n, scope, None, now) for n, scope in scopes.items()}
    suite.database.dispose()
    return made


def refused(home: Path) -> str:
    """Return why the front door on *home* does not start; it does not try again."""
    command = [sys.executable, "-m", "soc.cli.main", "front", "--home", str(home)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stderr=pipe, text=True) as process:
        assert process.stderr is not None
        said = process.stderr.read()
        assert process.wait(60) == REFUSED, said
    return said


@contextmanager
def serving(
    home: Path, *words: str, addresses: int = 1, command: str = "serve"
) -> Iterator[Served]:
    """Run ``soc serve`` until the block ends; wait until it is ready at so many *addresses*.

    command: ``front`` for the front door alone, where nothing is asked of a worker or a supervisor.
    """
    whole = [sys.executable, "-m", "soc.cli.main", command, "--home", str(home), *words]
    pipe = subprocess.PIPE
    with (home / "suite.log").open("a") as log:
        process = subprocess.Popen(whole, stdin=pipe, stdout=pipe, stderr=log, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    said = (line.strip() for line in process.stdout)
    ready = [line.removeprefix("ready ") for line in islice(said, addresses)]
    served = Served(home, process, ready)
    try:
        assert len(ready) == addresses, (home / "suite.log").read_text()
        yield served
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(30)
        process.stdout.close()
        process.stdin.close()


@dataclass(frozen=True)
class Authority:
    """An authority of our own, in a folder."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def path(self) -> Path:
        return self.folder / "ca.pem"

    def sign(self, name: str) -> tuple[Path, Path]:
        """Return the files of a certificate for *name* at 127.0.0.1, and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.DNSName(name), x509.IPAddress(ip_address("127.0.0.1"))]
        made = (
            _about(name, self.certificate.subject, key.public_key())
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        return _write(self.folder, name, made, key)


def authority(folder: Path) -> Authority:
    """Make an authority whose files lie in *folder*."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
    made = (
        _about("authority", name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    _write(folder, "ca", made, key)
    return Authority(folder, key, made)


def _about(
    name: str, issuer: x509.Name, public: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(BEGIN)
        .not_valid_after(BEGIN + timedelta(days=3))
    )


def _write(
    folder: Path, name: str, made: x509.Certificate, key: ec.EllipticCurvePrivateKey
) -> tuple[Path, Path]:
    paths = (folder / f"{name}.pem", folder / f"{name}.key")
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths
