"""A secret shows its name, stands in no JSON, and is found in what comes back."""

import base64
import copy
import json
import pickle
from pathlib import Path
from urllib.parse import quote

import orjson
import pytest
from pydantic import ValidationError

from soc.errors import Illegal, NotFound, SettingsError
from soc.model.value import Value
from soc.outward import SecretSource
from soc.respond.secrets import HIDDEN, Secret, Secrets, SecretText, scrub
from soc.settings import read

VALUE = "p@ss word/+é-9f8e"
T = Secret("T", lambda: VALUE)
TEXT = SecretText(["Bearer ", T])


class Model(Value):
    header: str | Secret | SecretText


def test_a_secret_shows_its_name_alone() -> None:
    assert (str(T), repr(T), f"{T}") == ("<secret T>", "<secret T>", "<secret T>")
    assert (str(TEXT), repr(TEXT)) == ("Bearer <secret T>", "Bearer <secret T>")
    assert (T.reveal(), TEXT.reveal()) == (VALUE, f"Bearer {VALUE}")
    assert VALUE not in str(vars(T)) + str(vars(TEXT))


@pytest.mark.parametrize("one", [T, TEXT], ids=["secret", "text"])
@pytest.mark.parametrize(
    "store",
    [json.dumps, orjson.dumps, pickle.dumps, copy.deepcopy],
    ids=["json", "orjson", "pickle", "copy"],
)
def test_a_secret_is_not_stored(one: object, store: object) -> None:
    with pytest.raises(TypeError):
        store(one)  # type: ignore[operator]


def test_a_parameter_may_be_a_secret_and_is_written_as_its_name() -> None:
    made = Model(header=TEXT)

    assert made.header is TEXT
    assert made.model_dump(mode="json") == {"header": "Bearer <secret T>"}
    assert made.model_dump_json() == '{"header":"Bearer <secret T>"}'
    assert VALUE not in repr(made)


def test_text_that_looks_like_a_secret_is_none() -> None:
    made = Model.model_validate_json('{"header": "<secret T>"}')

    assert made.header == "<secret T>"
    with pytest.raises(ValidationError):
        Model.model_validate_json('{"header": {"name": "T"}}')


def test_secrets_are_read_when_they_are_used(tmp_path: Path) -> None:
    environ = {"VAR": "from-the-environment"}
    (tmp_path / "key").write_text("from-the-file\n")
    sources = {"E": SecretSource(env="VAR"), "F": SecretSource(file=Path("key"))}
    secrets = Secrets(sources, environ, tmp_path)
    kept = secrets.get("F")

    (tmp_path / "key").write_text("renewed-since\r\n")

    assert secrets.names == ["E", "F"]
    assert secrets.get("E").reveal() == "from-the-environment"
    assert kept.reveal() == "renewed-since"
    assert secrets.problems() == []


def test_a_secret_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "short").write_text("1234567")
    sources = {
        "E": SecretSource(env="VAR"),
        "F": SecretSource(file=Path("key")),
        "S": SecretSource(file=Path("short")),
    }
    secrets = Secrets(sources, {}, tmp_path)

    assert secrets.problems() == [
        "secret E: the variable VAR is not set",
        "secret F: key: No such file or directory",
        "secret S: give it 8 to 16384 characters",
    ]
    with pytest.raises(Illegal, match="secret E: the variable VAR is not set"):
        secrets.get("E").reveal()
    with pytest.raises(NotFound, match="no secret e: known are E, F, S"):
        secrets.get("e")


@pytest.mark.parametrize(
    "text",
    ["secrets: {T: s3cret-literal}", "secrets: {T: {}}", "secrets: {T: {env: A, file: b}}"],
    ids=["a literal", "nothing", "both"],
)
def test_settings_hold_no_secret_itself(tmp_path: Path, text: str) -> None:
    (tmp_path / "settings.yml").write_text(text)

    with pytest.raises(SettingsError) as caught:
        read(tmp_path / "settings.yml", {})

    assert "s3cret-literal" not in str(caught.value)


ENCODED = {
    "plain": VALUE,
    "of a URL": quote(VALUE, safe=""),
    "of a form": quote(VALUE).replace("%20", "+"),
    "hexadecimal": VALUE.encode().hex(),
    "JSON": json.dumps(VALUE),
    "base64": base64.b64encode(VALUE.encode()).decode(),
    "base64 after one byte": base64.b64encode(b"u" + VALUE.encode()).decode(),
    "base64 after two bytes": base64.b64encode(b"u:" + VALUE.encode() + b"!").decode(),
    "base64 for URLs": base64.urlsafe_b64encode(b"user:" + VALUE.encode()).decode(),
}


@pytest.mark.parametrize("text", ENCODED.values(), ids=ENCODED)
def test_what_comes_back_is_scrubbed_of_every_usual_encoding(text: str) -> None:
    scrubbed = scrub(f"it said <{text}>", [VALUE])

    assert HIDDEN in scrubbed
    assert len(scrubbed) < len("it said <>") + len(HIDDEN) + 11  # what stands around it
    assert scrub("it said nothing", [VALUE]) == "it said nothing"
