"""Field types of the configuration: paths, names, URLs, time zones, and values of the domain.

Used by config/model.py and by adapters' settings models. Each refusal says how to mend it.
"""

import re
from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Annotated, Any, get_type_hints
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    StringConstraints,
    ValidationInfo,
    create_model,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from dragoman.domain.errors import BadInput

STRICT = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)

_INNER = frozenset({"schema", "fields", "items_schema", "values_schema", "choices"})
"""Where a schema of pydantic holds those of its parts."""


def _strict_numbers(schema: Any) -> None:
    """Take no text and no boolean for a number: TOML has its own. Changes the schema in place.

    A whole number serves where a fraction may stand, as pydantic's strict mode has it.
    """
    if isinstance(schema, list):
        for one in schema:
            _strict_numbers(one)
    elif isinstance(schema, dict):
        if schema.get("type") in ("int", "float"):
            schema["strict"] = True
        for key in _INNER & schema.keys():
            inner = schema[key]
            fields = key == "fields" and isinstance(inner, dict)
            _strict_numbers(list(inner.values()) if fields else inner)


class Table(BaseModel):
    """A table of the file: frozen, and unknown keys are refused."""

    model_config = STRICT

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler, /
    ) -> CoreSchema:
        schema = handler(source)
        _strict_numbers(handler.resolve_ref_schema(schema))
        return schema


def refused(text: str, mend: str) -> PydanticCustomError:
    """A problem with one setting, in words of ours. mend: how to mend it."""
    return PydanticCustomError("refused", "{text}; {mend}", {"text": text, "mend": mend})


def _beside_the_file(path: Path, info: ValidationInfo) -> Path:
    """The path, counted from the folder of the configuration file if it is relative."""
    return Path((info.context or {}).get("directory", "."), path.expanduser())


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise refused(
            "no such time zone", 'write one of the IANA names, like "Asia/Shanghai"'
        ) from None
    return name


def _name(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([a-z0-9_-]{0,30}[a-z0-9])?", name):
        raise refused("this is no name", "write up to 32 of a-z, 0-9, - and _, like plant-1")
    return name


def _listen(address: str) -> str:
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65_535:
        raise refused("this is no address to listen on", 'write "host:port", like "127.0.0.1:8080"')
    return address


RelativePath = Annotated[Path, AfterValidator(_beside_the_file)]
"""A path; a relative one counts from the folder of the configuration file."""

ZoneName = Annotated[str, AfterValidator(_zone)]
"""An IANA time zone."""

Listen = Annotated[str, AfterValidator(_listen)]
"""`host:port` to listen on; port 0 takes a free one."""

Name = Annotated[str, AfterValidator(_name)]
"""The name of a site, desk, fleet, feed or token: it becomes part of ids, topics and paths."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=1000)]


def _scalar(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


Scalar = Annotated[str, BeforeValidator(_scalar)]
"""A text; a number or a boolean of TOML is taken as its text."""


def url_of(*schemes: str) -> AfterValidator:
    """Checks that a string is a URL of one of the schemes, and holds no password."""

    def check(value: str) -> str:
        try:
            parts = urlsplit(value)
            known = parts.scheme in schemes and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            known = False
            parts = urlsplit("")
        if not known:
            wanted = " or ".join(f"{scheme}://" for scheme in schemes)
            raise refused("this URL can't be used", f"write {wanted}host[:port]")
        if parts.password is not None or parts.username is not None:
            raise PydanticCustomError(
                "secret_in_url", "credentials must not stand in a URL; use the settings for them"
            )
        return value

    return AfterValidator(check)


class DomainValue:
    """Annotates a frozen dataclass of the domain so that pydantic builds it from a table.

    Unknown keys are refused, and a BadInput that the dataclass raises becomes a problem of the
    table. So a default has one home: the dataclass. number, count: the least float and int.
    """

    def __init__(self, *, number: float, count: int) -> None:
        self.number = number
        self.count = count

    def __get_pydantic_core_schema__(
        self, source: type, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        model = self.model(source)

        def build(value: Any, read: Callable[[Any], Any]) -> Any:
            if isinstance(value, source):
                return value
            table = read(value)
            try:
                return source(**{name: getattr(table, name) for name in model.model_fields})
            except BadInput as error:
                raise refused(error.text, error.mend) from error

        return core_schema.no_info_wrap_validator_function(build, handler.generate_schema(model))

    def model(self, kind: type) -> type[BaseModel]:
        """A strict model with the fields and defaults of the dataclass `kind`."""
        hints = get_type_hints(kind)
        definitions: dict[str, Any] = {}
        for item in fields(kind):
            hint = hints[item.name]
            if hint is float:
                hint = Annotated[float, Field(ge=self.number)]
            elif hint is int:
                hint = Annotated[int, Field(ge=self.count)]
            if item.default_factory is not MISSING:
                definitions[item.name] = (hint, Field(default_factory=item.default_factory))
            else:
                definitions[item.name] = (hint, ... if item.default is MISSING else item.default)
        return create_model(kind.__name__, __base__=Table, **definitions)
