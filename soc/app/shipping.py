"""Make a source: a token that sends as it alone, and what to paste into its shipper."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from types import MappingProxyType

from soc.access.permissions import Principal
from soc.app.suite import Suite
from soc.app.tokens import make_token
from soc.content.document import did_you_mean
from soc.errors import Refused
from soc.model.listener import Address, Area

FOLDER = Path(__file__).parent / "recipes"
RECIPES: Mapping[str, Path] = MappingProxyType(
    {path.stem: path for path in sorted(FOLDER.iterdir())}
)
"""The file of each recipe, by the name of its shipper."""
OVER_TLS = "rsyslog-tls"
LISTENERS = "web.listeners"
TOKEN = "soc_…"  # noqa: S105 - what stands in the place of one


@dataclass(frozen=True, slots=True)
class Place:
    """Where a shipper sends.

    name: of the certificate there. ca: the file that signed it. setting: which says so.
    """

    host: str
    port: int
    scheme: str = "https"
    name: str = "soc"
    ca: str = "/etc/commonwatch/ca.pem"
    setting: str = LISTENERS

    @property
    def url(self) -> str:
        """Return the address that clients want."""
        return f"{self.scheme}://{Address(self.host, self.port)}"

    @property
    def is_tls(self) -> bool:
        """Return whether shippers must know who signed the certificate."""
        return self.scheme != "http"


def recipe(shipper: str, place: Place, source: str, token: str = TOKEN) -> str:
    """Return what to paste into *shipper*; raises Refused for one that is not known.

    Lines that end with ``$tls`` are for places with TLS alone.
    """
    if shipper not in RECIPES:
        raise Refused(f"no recipe for {shipper!r}: {did_you_mean(shipper, RECIPES)}")
    given = {
        "url": place.url,
        "host": place.host,
        "port": str(place.port),
        "name": place.name,
        "ca": place.ca,
        "source": source,
        "token": token,
        "tls": "",
    }
    lines = RECIPES[shipper].read_text(encoding="utf-8").splitlines(keepends=True)
    wanted = [line for line in lines if place.is_tls or "$tls" not in line]
    return Template("".join(wanted)).substitute(given)


def place_of(suite: Suite, shipper: str | None = None) -> Place:
    """Return where this installation takes events: its first listener that does.

    Raises Refused for a *shipper* of syslog over TLS where no input takes it.
    """
    if shipper == OVER_TLS:
        return _syslog_place(suite)
    web = suite.settings.web
    for one in web.listeners:
        if Area.INGEST in one.serve:
            scheme = "https" if one.tls else "http"
            return Place(one.address.host, one.address.port, scheme)
    return Place(web.host, web.port, "http", setting="web.port")


def _syslog_place(suite: Suite) -> Place:
    for one in suite.settings.inputs.syslog:
        if one.tls:
            return Place(one.address.host, one.address.port, "tls", setting="inputs.syslog")
    raise Refused(f"{OVER_TLS}: write an input of protocol tls to inputs.syslog before")


def add_source(
    suite: Suite, actor: Principal, name: str, shipper: str | None, token_name: str
) -> dict[str, str | None]:
    """Return a token that sends as *name* alone, and the recipe; raises before it makes anything.

    What is refused: a shipper without a recipe, a name that no source can have, and who may not.
    """
    place = place_of(suite, shipper)
    if shipper is not None:
        recipe(shipper, place, name)
    token = make_token(suite, actor, token_name, "ingest", None, name)
    text = recipe(shipper, place, name, token) if shipper else None
    return {
        "source": name,
        "name": token_name,
        "token": token,
        "url": place.url,
        "setting": place.setting,
        "recipe": text,
    }
