"""On which line of a TOML text each key stands, which tomllib doesn't tell.

Used by load.py, so that a problem with a setting names its line. The text has been through
tomllib already, so this walks over the grammar of TOML 1.0 (keys, tables, strings, arrays, inline
tables) and checks nothing.
"""

import tomllib

Path = tuple[str | int, ...]
"""Keys and array indexes from the root: ("desks", "snow", "webhook", "secrets", 0)."""

_SPACE = " \t\r\n"


def positions(text: str) -> dict[Path, int]:
    """The line (from 1) of each table, key and array element of a valid TOML document."""
    return _Walk(text).document()


class _Walk:
    """One pass over a text. at: the index of the next character."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.line = 1
        self.counted = 0
        self.lines: dict[Path, int] = {}
        self.tables: dict[Path, int] = {}

    def document(self) -> dict[Path, int]:
        """Walk over the tables and their keys."""
        table: Path = ()
        while self._next():
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._pair(table)
        return self.lines

    def _next(self) -> str:
        """Pass over space and comments; the character there, "" at the end."""
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            elif char in _SPACE:
                self.at += 1
            else:
                return char
        return ""

    def _here(self) -> int:
        self.line += self.text.count("\n", self.counted, self.at)
        self.counted = self.at
        return self.line

    def _note(self, path: Path, line: int) -> None:
        for length in range(1, len(path) + 1):
            self.lines.setdefault(path[:length], line)

    def _header(self) -> Path:
        """`[a.b]` or `[[a.b]]`: the path, through the last element of any array on the way."""
        line = self._here()
        array = self.text.startswith("[[", self.at)
        self.at += 2 if array else 1
        keys = self._key()
        self.at = self.text.index("]", self.at) + (2 if array else 1)
        path: Path = ()
        for key in keys[:-1]:
            path = self._entered((*path, key))
        path = (*path, keys[-1])
        if array:
            self.tables[path] = self.tables.get(path, -1) + 1
        path = self._entered(path)
        self._note(path, line)
        self.lines[path] = line
        return path

    def _entered(self, path: Path) -> Path:
        return (*path, self.tables[path]) if path in self.tables else path

    def _pair(self, table: Path) -> None:
        line = self._here()
        path = (*table, *self._key())
        self._note(path, line)
        self.at = self.text.index("=", self.at) + 1
        self._value(path)

    def _key(self) -> tuple[str, ...]:
        """A dotted key; stops before what follows it."""
        keys: list[str] = []
        while True:
            char = self._next()
            start = self.at
            if char in "\"'":
                self._string(char)
                keys.append(tomllib.loads(f"k = {self.text[start : self.at]}")["k"])
            else:
                while self.text[self.at].isalnum() or self.text[self.at] in "_-":
                    self.at += 1
                keys.append(self.text[start : self.at])
            if self._next() != ".":
                return tuple(keys)
            self.at += 1

    def _value(self, path: Path) -> None:
        char = self._next()
        if char in "\"'":
            self._string(char)
        elif char == "[":
            self._array(path)
        elif char == "{":
            self.at += 1
            while self._next() != "}":
                self._pair(path)
                if self._next() == ",":
                    self.at += 1
            self.at += 1
        else:
            while self.at < len(self.text) and self.text[self.at] not in ",]}#\n":
                self.at += 1

    def _array(self, path: Path) -> None:
        self.at += 1
        index = 0
        while self._next() != "]":
            self._note((*path, index), self._here())
            self._value((*path, index))
            index += 1
            if self._next() == ",":
                self.at += 1
        self.at += 1

    def _string(self, quote: str) -> None:
        """Pass over a string of any of the four kinds."""
        marks = quote * 3 if self.text.startswith(quote * 3, self.at) else quote
        self.at += len(marks)
        while not self.text.startswith(marks, self.at):
            self.at += 2 if quote == '"' and self.text[self.at] == "\\" else 1
        self.at += len(marks)
        # Up to two quotation marks may stand before the closing three.
        while len(marks) == 3 and self.text.startswith(quote, self.at):
            self.at += 1
