"""Keep people, wallets and addresses out of what is reported."""

import re2

NAMES = re2.compile(
    r"0[xX][0-9a-fA-F]{6,}"
    r"|[\w.+-]+@[\w-]+(\.[\w-]+)+"
    r"|\b\d{1,3}(\.\d{1,3}){3}\b"
    r"|\b[0-9a-fA-F]{0,4}(:[0-9a-fA-F]{0,4}){3,}"
    r"|\b[\w-]+\.eth\b"
    r"|\buser:\S+"
)
WITHHELD = "[withheld]"


def withheld(text: str) -> str:
    """Return *text*, which somebody typed, without what names a person or a wallet."""
    return str(NAMES.sub(WITHHELD, " ".join(text.split())))
