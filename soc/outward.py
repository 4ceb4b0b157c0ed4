"""What of the outside playbooks may reach besides the public Internet, and their secrets."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from soc.model.listener import address_of
from soc.model.value import Value


def _one_address(text: str) -> str:
    address = address_of(text)
    if address.host == "localhost" or not address.port:
        raise ValueError("write the address itself and its port, such as 10.0.0.5:8443")
    return str(address)


Opened = Annotated[str, AfterValidator(_one_address)]
"""An address and a port that are not public, and that playbooks may reach all the same."""

SecretName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,63}$")]


class SecretSource(Value):
    """Where a secret is read when it is used: the variable ``env``, or the file ``file``.

    A file lies in the home unless its path is absolute.
    """

    env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")] | None = None
    file: Path | None = None

    @model_validator(mode="after")
    def _must_be_one(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise ValueError("write either env: VARIABLE or file: PATH")
        if self.env and self.env.startswith("SOC_"):
            raise ValueError("variables that begin with SOC_ are settings: name it otherwise")
        return self
