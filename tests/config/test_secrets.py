"""Secrets by reference: where they come from, and that nothing shows them."""

import copy
import pickle
import sys
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import BaseModel, ValidationError

from dragoman.config.secrets import Secret
from dragoman.domain.errors import NeedsHuman


class Model(BaseModel):
    password: Secret


def test_secret_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_PASSWORD", "hunter2")
    secret = Model.model_validate({"password": {"env": "DESK_PASSWORD"}}).password
    assert secret.reveal() == "hunter2"
    monkeypatch.setenv("DESK_PASSWORD", "rotated")
    assert secret.reveal() == "rotated"
    assert secret.matches("rotated")
    assert not secret.matches("hunter2")


@pytest.mark.parametrize("value", [None, ""])
def test_missing_or_empty_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.delenv("DESK_PASSWORD", raising=False)
    if value is not None:
        monkeypatch.setenv("DESK_PASSWORD", value)
    with pytest.raises(NeedsHuman, match=r"environment variable DESK_PASSWORD is (not set|empty)"):
        Secret("env", "DESK_PASSWORD").reveal()


def test_secret_from_a_file_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "pw").write_bytes(b" hunter2 \r\n")
    model = Model.model_validate({"password": {"file": "pw"}}, context={"directory": str(tmp_path)})
    assert model.password.reveal() == " hunter2 "


def test_unreadable_secret_files_need_a_human(tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    large = tmp_path / "large"
    large.write_bytes(b"x" * 70_000)
    for path, text in ((tmp_path / "none", "No such file"), (binary, "UTF-8"), (large, "large")):
        with pytest.raises(NeedsHuman, match=text) as error:
            Secret("file", str(path)).reveal()
        assert error.value.mend


def test_secret_from_a_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = ModuleType("keyring")
    held = {("snow", "robot"): "hunter2"}
    vars(backend)["get_password"] = lambda service, user: held.get((service, user))
    monkeypatch.setitem(sys.modules, "keyring", backend)
    assert Secret("keyring", "snow/robot").reveal() == "hunter2"
    with pytest.raises(NeedsHuman, match="keyring set snow nobody"):
        Secret("keyring", "snow/nobody").reveal()


def test_keyring_package_missing_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(NeedsHuman, match="pip install keyring"):
        Secret("keyring", "snow/robot").reveal()


@pytest.mark.parametrize(
    "value",
    [
        "hunter2",
        {"env": ""},
        {"env": 7},
        {"vault": "hunter2"},
        {"keyring": "hunter2"},
        {"env": "A", "file": "hunter2"},
        ["hunter2"],
        {},
    ],
)
def test_other_values_are_refused_without_being_shown(value: object) -> None:
    with pytest.raises(ValidationError) as error:
        Model.model_validate({"password": value})
    (problem,) = error.value.errors(include_input=False)
    assert problem["loc"] == ("password",)
    assert '{ env = "NAME" }' in problem["msg"]
    assert "hunter2" not in problem["msg"]


def test_nothing_shows_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_PASSWORD", "hunter2")
    model = Model.model_validate({"password": {"env": "DESK_PASSWORD"}})
    held = Model(password=Secret.of("hunter2"))
    for shown in (model, held):
        texts = [repr(shown), str(shown), f"{shown.password}", shown.model_dump_json()]
        texts += [str(shown.model_dump()), repr(shown.password)]
        assert not [text for text in texts if "hunter2" in text]
    assert model.model_dump() == {"password": {"env": "DESK_PASSWORD"}}
    assert Model.model_validate(model.model_dump()) == model
    assert held.password.reveal() == "hunter2"
    with pytest.raises(TypeError):
        pickle.dumps(held.password)
    assert copy.deepcopy(held).password.reveal() == "hunter2"


def test_secrets_are_equal_by_place_only() -> None:
    assert Secret("env", "A") == Secret("env", "A")
    assert Secret("env", "A") != Secret("file", "A")
    assert Secret.of("x") != Secret.of("x")
    assert len({Secret("env", "A"), Secret("env", "A"), Secret.of("x"), Secret.of("x")}) == 3
    assert Secret("env", "A") != "A"
