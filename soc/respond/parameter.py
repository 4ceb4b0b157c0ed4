"""What a playbook takes besides its incident, and whether a value fits."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import model_validator

from soc.content.kinds import duration
from soc.errors import Illegal
from soc.model.value import Value
from soc.respond.expression import problems, render

KINDS: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "list": (list,),
    "map": (dict,),
}
"""Python's types; ``wallet`` and ``duration`` are texts that are looked at closer."""


class Parameter(Value):
    """One input. min, max: of a number, or of the length of a text or list."""

    type: Literal["string", "int", "float", "bool", "wallet", "list", "map", "duration"]
    about: str = ""
    default: Any = None
    required: bool = False
    min: float | None = None
    max: float | None = None
    one_of: tuple[Any, ...] = ()

    @model_validator(mode="after")
    def _must_compile(self) -> Self:
        if wrong := list(problems(self.default)):
            raise ValueError("; ".join(wrong))
        if self.required and self.default is not None:
            raise ValueError("required: an input with a default is never missing")
        return self

    def objection(self, value: object) -> str:
        """Return why *value* does not fit, or nothing."""
        kind = KINDS.get(self.type, (str,))
        if not isinstance(value, kind) or (isinstance(value, bool) and self.type != "bool"):
            return f"must be a {self.type}, not {type(value).__name__}"
        if self.type == "wallet" and not str(value).strip():
            return "must be an address"
        if self.type == "duration":
            try:
                duration(value)
            except ValueError as wrong:
                return str(wrong)
        if self.one_of and value not in self.one_of:
            return f"must be one of {', '.join(map(str, self.one_of))}"
        return self._outside(value)

    def _outside(self, value: object) -> str:
        size = value if isinstance(value, int | float) else len(value)  # type: ignore[arg-type]
        if self.min is not None and size < self.min:
            return f"is {size}: at least {self.min:g} is needed"
        if self.max is not None and size > self.max:
            return f"is {size}: at most {self.max:g} is allowed"
        return ""


def fill(
    wanted: Mapping[str, Parameter], given: Mapping[str, Any], context: Mapping[str, Any]
) -> dict[str, Any]:
    """Return every input with its value: the one given, else the default in *context*.

    Raises Illegal naming each input that is unknown, missing or does not fit.
    """
    wrong = [f"{name}: there is no such input" for name in sorted(set(given) - set(wanted))]
    filled: dict[str, Any] = {}
    for name, parameter in sorted(wanted.items()):
        value = given[name] if name in given else render(parameter.default, context)
        if value is None:
            if parameter.required:
                wrong.append(f"{name}: is required")
        elif objection := parameter.objection(value):
            wrong.append(f"{name}: {objection}")
        filled[name] = value
    if wrong:
        raise Illegal("; ".join(wrong))
    return filled
