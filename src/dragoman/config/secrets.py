"""A secret by reference: the configuration says where it is kept, never what it is.

`Secret` is a field type for pydantic models: those of config/model.py and the settings of any
adapter. In TOML it is `{ env = "NAME" }`, `{ file = "path" }` or `{ keyring = "service/user" }`.
It is looked up each time that `reveal` is called, so a rotated secret is picked up without a
restart; `dragoman check` and the start call `reveal` once to see that it is there.
"""

import hmac
import os
from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from dragoman.domain.errors import NeedsHuman

Source = Literal["env", "file", "keyring", "code"]
MEND = 'write { env = "NAME" }, { file = "path" } or { keyring = "service/user" }'
_MAX_FILE_BYTES = 65_536
_PLACES = {"env": "environment variable", "file": "file", "keyring": "keyring entry"}


class Secret:
    """Where a secret is kept. Two are equal when they are kept at the same place.

    Neither repr, str, format nor serialisation shows more than the place.
    """

    __slots__ = ("_held", "ref", "source")

    def __init__(self, source: Source, ref: str, *, held: str = "") -> None:
        self.source = source
        self.ref = ref
        self._held = held

    @classmethod
    def of(cls, value: str) -> "Secret":
        """A secret that the program itself made or got, such as a broker's one-time password."""
        return cls("code", "", held=value)

    def reveal(self) -> str:
        """The secret. Raises NeedsHuman naming the place if there is none.

        A trailing line end of a file is no part of it.
        """
        if self.source == "code":
            return self._held
        if self.source == "env":
            found = _from_env(self.ref)
        elif self.source == "file":
            found = _from_file(self.ref)
        else:
            found = _from_keyring(self.ref)
        if not found:
            raise NeedsHuman(
                f"the secret in {_PLACES[self.source]} {self.ref} is empty", mend="store it there"
            )
        return found

    def matches(self, candidate: str) -> bool:
        """Whether `candidate` is the secret, compared in constant time. Raises as `reveal`."""
        return hmac.compare_digest(self.reveal().encode(), candidate.encode())

    def __repr__(self) -> str:
        return f"Secret({self.source} {self.ref})" if self.ref else "Secret(held in memory)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        if "code" in (self.source, other.source):
            return self is other
        return (self.source, self.ref) == (other.source, other.ref)

    def __hash__(self) -> int:
        return id(self) if self.source == "code" else hash((self.source, self.ref))

    def __reduce__(self) -> tuple[Any, ...]:
        if self.source == "code":
            raise TypeError("a secret held in memory can't be pickled")
        return (Secret, (self.source, self.ref))

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "Secret":
        return self

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            _validated,
            serialization=core_schema.plain_serializer_function_ser_schema(_place),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        places = ("env", "file", "keyring")
        return {
            "type": "object",
            "description": "where a secret is kept",
            "properties": {place: {"type": "string", "minLength": 1} for place in places},
            "additionalProperties": False,
            "minProperties": 1,
            "maxProperties": 1,
        }


def _place(secret: Secret) -> dict[str, str]:
    return {secret.source: secret.ref or "hidden"}


def _validated(value: object, info: core_schema.ValidationInfo) -> Secret:
    """A Secret of what stands in the file. The errors never repeat the value.

    A relative path of `{ file = … }` counts from the folder of the configuration file, which
    load.py hands over as `directory` in the context of the validation.
    """
    if isinstance(value, Secret):
        return value
    if isinstance(value, str):
        raise PydanticCustomError(
            "secret_plain",
            "a secret must not stand in the configuration file; {mend}",
            {"mend": MEND},
        )
    if not isinstance(value, Mapping) or len(value) != 1:
        raise PydanticCustomError(
            "secret_shape", "this is not one reference to a secret; {mend}", {"mend": MEND}
        )
    ((source, ref),) = value.items()
    if source not in ("env", "file", "keyring") or not isinstance(ref, str) or not ref:
        raise PydanticCustomError(
            "secret_shape", "no such place for a secret; {mend}", {"mend": MEND}
        )
    if source == "keyring" and not all(ref.partition("/")):
        raise PydanticCustomError(
            "secret_shape", 'a keyring entry is named "service/user"; {mend}', {"mend": MEND}
        )
    if source == "file":
        directory = (info.context or {}).get("directory", ".")
        ref = str(Path(directory, Path(ref).expanduser()))
    return Secret(source, ref)


def _from_env(name: str) -> str:
    if name not in os.environ:
        raise NeedsHuman(
            f"the environment variable {name} is not set", mend=f"set {name} for this process"
        )
    return os.environ[name]


def _from_file(path: str) -> str:
    """The content, read again whenever the file is another one than last time."""
    try:
        seen = os.stat(path)  # noqa: PTH116 (asked at every request: Path costs as much as the call)
    except OSError as error:
        raise _unreadable(path, error) from error
    return _content(path, (seen.st_mtime_ns, seen.st_ino, seen.st_size))


@lru_cache(maxsize=64)
def _content(path: str, _: tuple[int, int, int]) -> str:
    try:
        with Path(path).open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
        if len(content) > _MAX_FILE_BYTES:
            raise NeedsHuman(
                f"the secret file {path} is too large", mend="put only the secret in it"
            )
        return content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise NeedsHuman(
            f"the secret file {path} is not UTF-8 text", mend="write it anew"
        ) from None
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: OSError) -> NeedsHuman:
    reason = error.strerror or type(error).__name__
    return NeedsHuman(
        f"the secret file {path} can't be read: {reason}", mend="create it, readable by this user"
    )


def _from_keyring(ref: str) -> str:
    service, _, user = ref.partition("/")
    try:
        # optional: only sites that keep secrets in a keyring need it
        keyring: Any = import_module("keyring")
    except ImportError:
        raise NeedsHuman(
            "secrets from a keyring need the package keyring",
            mend='install it (pip install keyring), or use { env = "NAME" } or { file = "path" }',
        ) from None
    try:
        found = keyring.get_password(service, user)
    except Exception as error:  # backends raise what they like; no part of it may hold a secret
        raise NeedsHuman(
            f"the keyring can't be read ({type(error).__name__})", mend="unlock it for this user"
        ) from error
    if found is None:
        raise NeedsHuman(
            f"the keyring holds nothing for {ref}", mend=f"store it: keyring set {service} {user}"
        )
    return str(found)
