"""Loads a configuration file into `Config`, or says everything that is wrong with it.

Called by bootstrap.py and by `dragoman check`. A problem names file, line, setting, value and
mend. The adapters come in as `plugins` (the module dragoman.plugins), since their settings models
and built-in mappings decide what may stand in a desk's, fleet's or feed's table.
"""

import re
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ValidationError

from dragoman.config import mapping, positions
from dragoman.config.catalogue import keys_of
from dragoman.config.kept import broken_secrets, missing_references, missing_secrets
from dragoman.config.locations import read_locations
from dragoman.config.model import (
    Config,
    DeskTable,
    FeedTable,
    FleetTable,
    MissionTable,
    ReadTable,
    WriteTable,
)
from dragoman.config.problems import ConfigInvalid, Problem, located, told, unknown_key
from dragoman.config.selection import unasked
from dragoman.domain.errors import BadInput, NeedsHuman
from dragoman.domain.mapping import Outgoing
from dragoman.domain.mission import PLACEHOLDERS, normal
from dragoman.domain.template import parse

Group = Literal["desks", "fleets", "feeds"]
Raw = dict[str, Any]

_TABLES: dict[Group, type[BaseModel]] = {
    "desks": DeskTable,
    "fleets": FleetTable,
    "feeds": FeedTable,
}
_MAX_BYTES = 4 * 1024 * 1024


class WithSettings(Protocol):
    """A plugin, as far as a configuration cares."""

    @property
    def settings(self) -> type[BaseModel]:
        """The model of the adapter's own options."""
        ...


class Plugins(Protocol):
    """Where adapters are found: the module dragoman.plugins."""

    def find(self, group: Group, kind: str, /) -> WithSettings:
        """The plugin of a type. Raises NeedsHuman if there is none."""
        ...

    def default_mappings(self, kind: str, /) -> Mapping[str, Any]:
        """The built-in mappings of a desk type by name, each with `read` and `write`."""
        ...


def load(path: Path, plugins: Plugins, *, secrets: bool = False) -> Config:
    """Load and check a file. secrets: look each secret up as well, as `up` and `check` do.

    Raises ConfigInvalid with all problems, also if there is no such file.
    """
    text = _text(path)
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigInvalid([_syntax(path, error)]) from error
    loader = _Loader(path, plugins)
    config = loader.config(raw)
    if secrets and config is not None:
        loader.problems += [*missing_secrets(config), *broken_secrets(config)]
    elif secrets:  # the file as it stands, since the loader has changed its copy
        loader.problems += missing_references(tomllib.loads(text), path.parent)
    if loader.problems or config is None:
        raise ConfigInvalid(located(loader.problems, path, positions.positions(text)))
    return config


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        mend = "write one with `dragoman init`, or name another with --config FILE"
        raise ConfigInvalid(
            [Problem(path=(), text=f"can't be read: {reason}", mend=mend, file=str(path))]
        ) from error
    if len(content) > _MAX_BYTES:
        text = f"is larger than {_MAX_BYTES} bytes"
        raise ConfigInvalid([Problem(path=(), text=text, file=str(path))])
    try:
        return content.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        text = "this line is not UTF-8 text"
        raise ConfigInvalid(
            [Problem(path=(), text=text, mend="save the file as UTF-8", file=str(path), line=line)]
        ) from error


def _syntax(path: Path, error: tomllib.TOMLDecodeError) -> Problem:
    text, _, where = str(error).rpartition(" (at ")
    found = re.match(r"line (\d+), column (\d+)", where)
    return Problem(
        path=(),
        text=f"not TOML: {text or error}" + (f" at column {found[2]}" if found else ""),
        mend="see https://toml.io",
        file=str(path),
        line=int(found[1]) if found else 0,
    )


class _Loader:
    """One load: collects problems on the way from the parsed file to `Config`."""

    def __init__(self, path: Path, plugins: Plugins) -> None:
        self.plugins = plugins
        self.context = {"directory": str(path.parent)}
        self.problems: list[Problem] = []
        self.fields: set[str] = set()

    def config(self, raw: Raw) -> Config | None:
        """The configuration, None if it isn't one."""
        for group in _TABLES:
            self._adapters(group, raw)
        self._locations(raw)
        self._cross_check(raw)
        # Defaults that depend on the folder of the file are only made for tables that are there.
        for table in ("site", "retention", "log"):
            raw.setdefault(table, {})
        try:
            return Config.model_validate(raw, context=self.context)
        except ValidationError as error:
            self.problems += told(error, Config, raw)
            return None

    def _adapters(self, group: Group, raw: Raw) -> None:
        tables = raw.get(group)
        if not isinstance(tables, dict):
            return  # told when the whole file is validated
        for name, table in tables.items():
            if isinstance(table, dict) and isinstance(table.get("type"), str):
                tables[name] = self._adapter(group, name, table)

    def _adapter(self, group: Group, name: str, table: Raw) -> Raw:
        """The table with the adapter's options validated and the mapping compiled."""
        at = (group, name)
        common = keys_of(_TABLES[group])
        try:
            settings = self.plugins.find(group, table["type"]).settings
        except NeedsHuman as error:
            self._problem((*at, "type"), error.text, error.mend, table["type"])
            return {key: value for key, value in table.items() if key in common}
        given = {key: value for key, value in table.items() if key not in common}
        own = [field.alias or key for key, field in settings.model_fields.items()]
        known = {key: value for key, value in given.items() if key in own}
        self.problems += (unknown_key((*at, key), [*common, *own]) for key in given.keys() - known)
        whole = {key: value for key, value in table.items() if key in common}
        try:
            whole["options"] = settings.model_validate(known, context=self.context)
        except ValidationError as error:
            self.problems += told(error, settings, known, at, common)
        if group == "desks":
            self._mapping(at, whole)
            self.problems += unasked(at, whole.get("read", {}), whole.get("options"))
        return whole

    def _mapping(self, at: positions.Path, table: Raw) -> None:
        """Put the built-in mapping under the one in the file, and compile the two."""
        named = self.plugins.default_mappings(table["type"])
        choice = table.get("mapping", "default")
        if choice in named:
            for key in ("read", "write"):
                table[key] = merged(named[choice].get(key, {}), table.get(key, {}))
        elif choice not in ("default", "none") and isinstance(choice, str):
            mend = f"write one of {', '.join(sorted({*named, 'none'}))}"
            self._problem((*at, "mapping"), "this type of desk has no such mapping", mend, choice)
            return
        self._compile(at, table)

    def _compile(self, at: positions.Path, table: Raw) -> None:
        """Tables that aren't valid are left out here: they are told with the whole file."""
        read, write = table.get("read", {}), table.get("write", {})
        fields = read.get("fields", {}) if isinstance(read, dict) else {}
        self.fields.update(fields)
        with suppress(ValidationError):
            table["incoming"] = mapping.incoming(ReadTable.model_validate(read))
        if isinstance(read, dict) and "kind" not in read:
            text = "nothing says of which kind a case is, so no mission fits"
            self._problem((*at, "read"), text, 'add kind = "path" or kind = { const = "KIND" }')
        updates = {}
        for name, one in write.items() if isinstance(write, dict) else ():
            compiler = mapping.UpdateCompiler((*at, "write", name), fields)
            with suppress(ValidationError):
                updates[name] = compiler.update(WriteTable.model_validate(one))
            self.problems += compiler.problems
        table["outgoing"] = Outgoing(updates=updates)

    def _locations(self, raw: Raw) -> None:
        site = raw.get("site")
        file = site.get("locations_file") if isinstance(site, dict) else None
        if not isinstance(file, str):
            return
        path = Path(self.context["directory"], Path(file).expanduser())
        try:
            rows, problems = read_locations(path)
        except NeedsHuman as error:
            self._problem(("site", "locations_file"), error.text, error.mend, file)
            return
        self.problems += problems
        table = raw.setdefault("locations", {})
        if isinstance(table, dict):
            raw["locations"] = {**rows, **table}

    def _cross_check(self, raw: Raw) -> None:
        """What one table says of another. Tables that aren't valid are told elsewhere."""
        desks, faults = raw.get("desks", {}), raw.get("faults", {})
        desk = faults.get("desk") if isinstance(faults, dict) else None
        if isinstance(desk, str) and isinstance(desks, dict) and desk not in desks:
            mend = f"known are {', '.join(desks) or 'none'}"
            self._problem(("faults", "desk"), "there is no desk of this name", mend, desk)
        missions, locations = raw.get("missions"), raw.get("locations")
        for kind, table in missions.items() if isinstance(missions, dict) else ():
            with suppress(ValidationError):
                self._parameters(kind, MissionTable.model_validate(table))
        seen: dict[str, str] = {}
        for name in locations if isinstance(locations, dict) else ():
            other = seen.setdefault(normal(name), name)
            if other != name:
                text = f"this place has the name of {other!r}, but for case and spacing"
                self._problem(("locations", name), text, "rename one of them")

    def _parameters(self, kind: str, mission: MissionTable) -> None:
        for index, action in enumerate(mission.actions):
            for name, text in action.parameters.items():
                try:
                    parse(text, PLACEHOLDERS, self.fields)
                except BadInput as error:
                    at = ("missions", kind, "actions", index, "parameters", name)
                    self._problem(at, error.text, error.mend, text)

    def _problem(self, path: positions.Path, text: str, mend: str, value: str = "") -> None:
        shown = f'"{value[:80]}"' if value else ""
        self.problems.append(Problem(path=path, text=text, mend=mend, value=shown))


def merged(below: Mapping[str, Any], above: object) -> Any:
    """The tables one over the other, key by key; rules and other values as a whole."""
    if not isinstance(above, Mapping) or {"path", "const", "value"} & set(above):
        return above
    whole = dict(below)
    for key, value in above.items():
        old = whole.get(key)
        whole[key] = merged(old, value) if isinstance(old, Mapping) else value
    return whole
