"""axe-core, which finds what keeps people from using a page; MPL-2.0, for tests alone."""

import hashlib
import subprocess
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.servers import machine
from tests.servers.machine import Unobtainable

VERSION = "4.14.1"
DIGEST = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
"""SHA-256 of the script, as it was published."""


def script() -> Path:
    """Return the script to be run in a page; raises Unobtainable."""
    place = machine.cache() / f"axe-{VERSION}.min.js"
    with machine.alone("axe"):
        if not place.is_file():
            body = _published()
            if hashlib.sha256(body).hexdigest() != DIGEST:
                raise Unobtainable(f"axe-core {VERSION} is not what was published: see DIGEST")
            making = place.with_suffix(".part")
            making.write_bytes(body)
            making.rename(place)
    return place


def _published() -> bytes:
    npm = machine.command("npm", "npm")
    with TemporaryDirectory() as aside:
        done = subprocess.run(
            [npm, "pack", "--silent", f"axe-core@{VERSION}"],
            cwd=aside,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode:
            said = done.stderr.strip().splitlines()[-3:]
            raise Unobtainable(f"axe-core: {' '.join(said)}")
        with tarfile.open(Path(aside) / f"axe-core-{VERSION}.tgz") as archive:
            member = archive.extractfile("package/axe.min.js")
            if member is None:
                raise Unobtainable("axe-core: the archive has no axe.min.js")
            return member.read()
