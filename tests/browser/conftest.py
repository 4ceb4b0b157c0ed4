import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, sync_playwright

from tests.browser.furnished import furnish
from tests.servers import axe
from tests.servers.machine import Unobtainable
from tests.web.story import Site, opened

CHROMIUM = Path("/usr/bin/chromium")
SHOTS = Path(__file__).parents[2] / "artefacts" / "browser"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Return a browser; its absence is a skip that says so."""
    if not CHROMIUM.exists():
        pytest.skip(f"no browser at {CHROMIUM}: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe_core() -> str:
    """Return the script of axe-core; its absence is a skip that says so."""
    try:
        return axe.script().read_text()
    except Unobtainable as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def shots() -> Path:
    """Return the folder for pictures, which people look at."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    return SHOTS


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with opened(tmp_path / "home") as site:
        yield site


@pytest.fixture
def address(site: Site) -> Iterator[str]:
    """Serve *site* on a free port."""
    with _served(site) as address:
        yield address


@pytest.fixture(scope="session")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return a site for tests that only look."""
    with opened(tmp_path_factory.mktemp("still") / "home") as site:
        furnish(site)
        yield site


@pytest.fixture(scope="session")
def still_address(still: Site) -> Iterator[str]:
    """Serve *still* on a free port."""
    with _served(still) as address:
        yield address


@contextmanager
def _served(site: Site) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(site.app, log_config=None, lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()
