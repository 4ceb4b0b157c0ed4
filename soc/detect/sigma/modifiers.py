"""Read a field with its modifiers into typed values.

pySigma does all of it but the encodings: those must work on octets, so that a byte order mark,
wide text that is not ASCII, and the offsets of Base64 come out as the specification shows them.
"""

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import date
from types import MappingProxyType
from typing import Any, ClassVar

from sigma.exceptions import SigmaError, SigmaModifierError, SigmaRuleLocation, SigmaValueError
from sigma.modifiers import (
    SigmaFieldReferenceModifier,
    SigmaModifier,
    SigmaRegularExpressionModifier,
    SigmaValueModifier,
    modifier_mapping,
)
from sigma.rule import SigmaDetectionItem
from sigma.types import (
    SigmaCasedString,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNumber,
    SigmaString,
    SigmaType,
    sigma_type,
)

from soc.detect.sigma.text import text_of

TEXTUAL = frozenset({"contains", "startswith", "endswith", "cased", "windash"})
"""With these, numbers and truth values are looked for as the text that an event shows."""
MAX_DASHES = 5
DASH = re.compile(r"\B[-/]\b")
"""What windash replaces, each by five others: five of them make 3,125 values."""


class Octets(SigmaString):
    """Text whose characters stand for octets."""


class CasedReference(SigmaFieldReference):
    """Another field with which a value is compared with regard to case."""


class _Cased(SigmaValueModifier[SigmaString | SigmaFieldReference, SigmaType]):
    def modify(self, val: SigmaString | SigmaFieldReference) -> SigmaType:
        """Return *val*, text or another field, to be compared with regard to case."""
        if isinstance(val, SigmaFieldReference):
            return CasedReference(val.field, val.starts_with, val.ends_with)
        return SigmaCasedString.from_sigma_string(val)


class _FieldRef(SigmaFieldReferenceModifier):
    def modify(self, val: SigmaString) -> SigmaFieldReference:
        """Return the field that is called *val*."""
        made = super().modify(val)
        return CasedReference(made.field) if isinstance(val, SigmaCasedString) else made


class _Wide(SigmaValueModifier[SigmaString, SigmaString]):
    codec: ClassVar[str] = "utf-16-le"
    mark: ClassVar[bytes] = b""

    def modify(self, val: SigmaString) -> SigmaString:
        """Return the text in two octets a character."""
        return _octets(self.mark + _plain(val, self.source).encode(self.codec))


class _Utf16(_Wide):
    mark = b"\xff\xfe"


class _Utf16Be(_Wide):
    codec = "utf-16-be"


class _Base64(SigmaValueModifier[SigmaString, SigmaString]):
    def modify(self, val: SigmaString) -> SigmaString:
        """Return the Base64 of the octets."""
        return _literal(b64encode(_bytes(val, self.source)).decode())


class _Base64Offset(SigmaValueModifier[SigmaString, SigmaExpansion]):
    def modify(self, val: SigmaString) -> SigmaExpansion:
        """Return what stays the same in Base64 wherever the octets begin."""
        octets = _bytes(val, self.source)
        shifted = [_shifted(octets, offset) for offset in range(3)]
        if "" in shifted:
            reason = "too short: nothing of it stays the same in Base64"
            raise SigmaValueError(reason, source=self.source)
        return SigmaExpansion([_literal(text) for text in shifted])


MODIFIERS: Mapping[str, type[SigmaModifier[Any, Any]]] = MappingProxyType(
    {
        **modifier_mapping,
        "cased": _Cased,
        "fieldref": _FieldRef,
        "wide": _Wide,
        "utf16le": _Wide,
        "utf16": _Utf16,
        "utf16be": _Utf16Be,
        "base64": _Base64,
        "base64offset": _Base64Offset,
    }
)


def read_item(key: str | None, values: Sequence[Any], at: SigmaRuleLocation) -> SigmaDetectionItem:
    """Return the typed values of *key*, a field with modifiers, or None for keywords."""
    name, *names = (key or "").split("|")
    unknown = [modifier for modifier in names if modifier not in MODIFIERS]
    if unknown:
        raise SigmaModifierError(f"unknown modifier {unknown[0]!r}", source=at)
    if any(isinstance(value, date) for value in values):
        raise SigmaValueError("YAML reads this as a date: put it in quotes", source=at)
    modifiers = [MODIFIERS[modifier] for modifier in names]
    is_regex = SigmaRegularExpressionModifier in modifiers
    if is_regex and not all(isinstance(value, str) for value in values):
        raise SigmaValueError("a regular expression is text: put it in quotes", source=at)
    if "windash" in names and any(_dashes(value) > MAX_DASHES for value in values):
        reason = f"more than {MAX_DASHES} dashes to permute: write several values"
        raise SigmaValueError(reason, source=at)
    try:
        as_text = TEXTUAL.intersection(names)
        told = [text_of(one) if as_text and isinstance(one, int | float) else one for one in values]
        typed = [SigmaString.from_str(value) if is_regex else _typed(value) for value in told]
        return SigmaDetectionItem(name or None, modifiers, typed, source=at)
    except SigmaError as error:
        error.source = error.source or at
        raise


def _dashes(value: object) -> int:
    return len(DASH.findall(value)) if isinstance(value, str) else 0


def _typed(value: Any) -> SigmaType:  # noqa: ANN401 - whatever YAML holds
    typed = sigma_type(value)
    if isinstance(typed, SigmaNumber):
        # pySigma would make a float of what is too large for one to be exact: amounts are.
        typed.number = value
    return typed


def _shifted(octets: bytes, offset: int) -> str:
    """Return the Base64 of *octets* after *offset* others, without what those would change."""
    start = (0, 2, 3)[offset]
    end = (None, -3, -2)[(len(octets) + offset) % 3]
    return b64encode(b" " * offset + octets)[start:end].decode()


def _bytes(value: SigmaString, at: SigmaRuleLocation | None) -> bytes:
    return _plain(value, at).encode("latin-1" if isinstance(value, Octets) else "utf-8")


def _plain(value: SigmaString, at: SigmaRuleLocation | None) -> str:
    if not all(isinstance(part, str) for part in value.s):
        raise SigmaValueError("text with wildcards cannot be encoded: escape them", source=at)
    return "".join(map(str, value.s))


def _octets(octets: bytes) -> Octets:
    value = Octets()
    value.s = [octets.decode("latin-1")]
    return value


def _literal(text: str) -> SigmaString:
    return SigmaString.from_str(text)
