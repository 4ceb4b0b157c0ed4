"""Fill our own templates. Whatever is put into one is escaped, unless we made it ourselves."""

import re2
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

MEANS_SOMETHING = re2.compile(r"([\\`*_\[\]|~#!])")


def html(template: str, values: dict[str, object]) -> str:
    """Return the HTML template filled with *values*; everything is escaped."""
    return _environment(autoescape=True).get_template(template).render(values)


def markdown(template: str, values: dict[str, object]) -> str:
    """Return the Markdown template filled with *values*; everything is escaped."""
    environment = _environment(autoescape=False)
    environment.finalize = _inert
    return environment.get_template(template).render(values)


def in_markdown(value: object) -> str:
    """Return *value* as one line of Markdown that shows it and does nothing else."""
    text = " ".join(str(value).split())
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = str(MEANS_SOMETHING.sub(r"\\\1", text))
    # A bare address would become a link of its own.
    return text.replace("://", "&#58;//").replace("www.", "www&#46;").replace("@", "&#64;")


def _inert(value: object) -> object:
    return value if isinstance(value, Markup) else in_markdown(value)


def _environment(*, autoescape: bool) -> Environment:
    environment = Environment(
        loader=PackageLoader("soc.report"),
        autoescape=autoescape,  # noqa: S701 - Markdown has its own escape, put on every value
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["words"] = lambda text: str(text).replace("_", " ")
    environment.filters["percent"] = lambda share: f"{share * 100:.0f}\xa0%"
    environment.filters["moment"] = lambda text: str(text)[:19] + "Z"
    return environment
