"""What things are called in CACAO: the same thing has the same name in every export."""

from uuid import UUID, uuid5

SPACE = UUID("6c0f6b1e-6d6b-5b0e-9a52-5d1f7c3a2b10")
EXTENSION = f"extension-definition--{uuid5(SPACE, 'extension/1')}"
EXTENSION_SCHEMA = "urn:commonwatch:playbook:1"
ENGINE = f"security-category--{uuid5(SPACE, 'engine')}"
ALWAYS = "__always-true__"
"""A hyphen keeps what we compute apart from inputs, whose names have none."""


def playbook_id(slug: str) -> str:
    """Return the id of the playbook *slug*."""
    return f"playbook--{uuid5(SPACE, f'playbook/{slug}')}"


def step_id(kind: str, slug: str, path: str) -> str:
    """Return the id of the CACAO step of type *kind* at *path* in the playbook *slug*."""
    return f"{kind}--{uuid5(SPACE, f'step/{slug}/{path}')}"


def group_id(name: str) -> str:
    """Return the id of the people called *name*."""
    return f"group--{uuid5(SPACE, f'group/{name}')}"


def secret_id(name: str) -> str:
    """Return the id of the secret called *name*."""
    return f"user-auth--{uuid5(SPACE, f'secret/{name}')}"


def identity_id(name: str) -> str:
    """Return the id of the author or owner called *name*."""
    return f"identity--{uuid5(SPACE, f'identity/{name}')}"


def variable(name: str) -> str:
    """Return *name* as CACAO spells variables."""
    return f"__{name}__"
