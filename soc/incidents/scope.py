"""What a suppression is about: a rule, an entity, a matched field, or several of them together."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from soc.errors import Refused
from soc.model.finding import SUITE, Finding, Match
from soc.model.value import Entity, EntityKind, Slug, Value
from soc.store.indicators import Members, network_of

LIST = "list:"
Lists = Mapping[str, Members]
"""Whom each list that a scope names has in it."""


class Scope(Value):
    """What a finding must be to be hidden: all that is written here.

    entity: whom the finding is about: ``ip:192.0.2.0/24`` is every address in it, ``list:NAME``
    all whom an imported list names. field, value: what must have matched, letter by letter.
    """

    rule: Slug | None = None
    entity: Annotated[str, Field(min_length=3, max_length=520)] | None = None
    field: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    value: Annotated[str, Field(min_length=1, max_length=2_000)] | None = None

    @field_validator("rule")
    @classmethod
    def _must_not_be_the_suite(cls, rule: str | None) -> str | None:
        if rule and rule.startswith(SUITE):
            raise ValueError("findings about the suite itself cannot be hidden: mend what they say")
        return rule

    @field_validator("entity")
    @classmethod
    def _spell_one_way(cls, text: str | None) -> str | None:
        if text is None or text.startswith(LIST):
            return text
        try:
            entity = Entity.parse(text)
        except ValueError as wrong:
            raise ValueError("write kind:value, such as wallet:0xab, or list:NAME") from wrong
        if entity.kind is EntityKind.INCIDENT:
            raise ValueError("incidents cannot be hidden: close them")
        if entity.kind is EntityKind.IP and "/" in entity.value:
            if (network := network_of(text)) is None:
                raise ValueError("write a network such as ip:192.0.2.0/24")
            return f"ip:{network}"
        return str(entity)

    @model_validator(mode="after")
    def _must_say_something(self) -> Self:
        if (self.field is None) is not (self.value is None):
            raise ValueError("write field and value together, such as url.path=/health")
        if not (self.rule or self.entity or self.field):
            raise ValueError("name a rule, an entity or a matched field: at least one")
        return self

    @property
    def list_name(self) -> str | None:
        """Return the list that it names, if it does."""
        entity = self.entity or ""
        return entity.removeprefix(LIST) if entity.startswith(LIST) else None

    @property
    def words(self) -> str:
        """Return it in one line."""
        parts = (
            f"rule {self.rule}" if self.rule else "",
            self.entity or "",
            f"{self.field}={self.value}" if self.field else "",
        )
        return " and ".join(filter(None, parts))

    def covers(self, rule: str, entity: str, matched: tuple[Match, ...], lists: Lists) -> bool:
        """Return whether findings of *rule* about *entity* that *matched* so are meant."""
        if rule.startswith(SUITE) or self.rule not in {None, rule}:
            return False
        if self.entity is not None and not self._names(entity, lists):
            return False
        wanted = (self.field, self.value)
        return self.field is None or any((one.field, one.value) == wanted for one in matched)

    def hides(self, finding: Finding, lists: Lists) -> bool:
        """Return whether *finding* is meant."""
        return self.covers(finding.rule, str(finding.entity), finding.matched, lists)

    def _names(self, entity: str, lists: Lists) -> bool:
        assert self.entity is not None  # noqa: S101 - asked by the caller
        if (name := self.list_name) is not None:
            return name in lists and lists[name].holds(entity)
        if entity == self.entity:
            return True
        network = network_of(self.entity)
        return network is not None and Members(frozenset(), (network,)).holds(entity)


def scope_of(**given: Any) -> Scope:  # noqa: ANN401 - as people write it
    """Return the scope that is *given*; raises Refused, saying what to write instead."""
    try:
        return Scope(**{key: value or None for key, value in given.items()})
    except ValidationError as invalid:
        raise Refused(told(invalid)) from invalid


def told(invalid: ValidationError) -> str:
    """Return each mistake that *invalid* names, with its place."""
    said = []
    for error in invalid.errors(include_url=False):
        place, why = ".".join(map(str, error["loc"])), error["msg"].removeprefix("Value error, ")
        said.append(f"{place}: {why}" if place else why)
    return "; ".join(said)


def parted(text: str | None) -> tuple[str | None, str | None]:
    """Return field and value of ``field=value``; raises Refused for anything else."""
    if not text:
        return None, None
    field, mark, value = text.partition("=")
    if not mark or not field or not value:
        raise Refused(f"{text}: write a matched field and its value, such as url.path=/health")
    return field, value
