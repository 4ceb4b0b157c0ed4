"""Settings are read once, and every mistake is named with its place."""

from datetime import timedelta
from pathlib import Path

import pytest

from soc.errors import SettingsError
from soc.settings import Mode, Settings, read

MISTAKES = {
    "an unknown key": ("detect:\n  latenes: 3s\n", {}, "settings.yml:2: unknown setting latenes: did you mean 'lateness'?"),
    "an unknown key within a list": ("web:\n  listeners:\n  - {adress: x, bind: '127.0.0.1:0'}\n", {}, "settings.yml:3: unknown setting adress: known are bind, serve, tls"),
    "a key that must be there": ("web:\n  listeners:\n  - {serve: [api]}\n", {}, "settings.yml:3: bind is missing: write it"),
    "a wrong kind": ("web:\n  port: many\n", {}, "settings.yml:2: Input should be a valid integer"),
    "a wrong word": ("respond: {mode: maybe}\n", {}, "settings.yml:1: Input should be 'plan', 'contain' or 'full'"),
    "no groups": ("- a\n", {}, "write a group and its keys"),
    "an unknown variable": ("", {"SOC_WEBB__PORT": "1"}, "SOC_WEBB__PORT: unknown setting: did you mean 'SOC_WEB__…'?"),
    "a variable without a key": ("", {"SOC_WEB": "1"}, "SOC_WEB: unknown setting"),
    "a wrong variable": ("", {"SOC_WEB__PORT": "x"}, "SOC_WEB__PORT: Input should be a valid integer"),
}  # fmt: skip


def test_out_of_the_box_nobody_is_held_back_unasked(tmp_path: Path) -> None:
    settings = read(tmp_path / "settings.yml", {})

    assert settings.respond.mode is Mode.PLAN
    assert settings.web.host == "127.0.0.1"


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    path = tmp_path / "settings.yml"
    path.write_text("web: {port: 1, host: '::1'}\nrespond: {ttl: {a/b: 6s}}\n")

    settings = read(path, {"SOC_WEB__PORT": "2", "SOC_HOME": "x", "SOC_TOKEN": "x", "PATH": "x"})

    assert (settings.web.port, settings.web.host) == (2, "::1")
    assert settings.respond.ttl == {"a/b": timedelta(seconds=6)}


@pytest.mark.parametrize(("text", "environ", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_with_its_place(
    tmp_path: Path, text: str, environ: dict[str, str], message: str
) -> None:
    path = tmp_path / "settings.yml"
    path.write_text(text)

    with pytest.raises(SettingsError) as caught:
        read(path, environ)

    assert message in str(caught.value)


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    settings = read(tmp_path / "settings.yml", {})

    with pytest.raises(ValueError, match="frozen"):
        settings.web = settings.web  # type: ignore[misc]
    assert isinstance(settings, Settings)


def test_protected_subjects_have_one_spelling(tmp_path: Path) -> None:
    path = tmp_path / "settings.yml"
    path.write_text("respond: {protected: ['wallet:0xAB']}\n")

    assert read(path, {}).respond.protected == ("wallet:0xab",)

    path.write_text("respond: {protected: ['0xab']}\n")
    with pytest.raises(SettingsError, match="such as wallet:0xab"):
        read(path, {})
