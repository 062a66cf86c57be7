"""Templates of the configuration: text with `{name}` placeholders, filled with plain text.

Used for what a desk is told (domain/mapping.py), for the parameters of a mission's actions, and
for topics of feeds. There is no attribute access, no index, no conversion and no format: a
placeholder is one of the names given at `parse`, or `field.NAME`. `{{` and `}}` are braces.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from dragoman.domain.errors import BadInput

MAX_VALUE = 2_000
"""Characters of one value put into a template; the rest is cut off."""

MAX_TEXT = 20_000
"""Characters of a filled template."""

_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def plain(text: str, limit: int, *, lines: bool = False) -> str:
    """The text without control characters (surrogates and bidi marks too), cut at `limit`.

    lines: keep line feeds and tabs; otherwise each becomes a space.
    """
    if not text.isprintable():
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        kept = "\n\t" if lines else ""
        text = "".join(_printable(char, kept) for char in text[: limit + 1])
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _printable(char: str, kept: str) -> str:
    if char.isprintable() or char in kept:
        return char
    return " " if char.isspace() else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A parsed template. parts: literal texts and names of values in turn, a text first."""

    parts: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the values it uses."""
        return self.parts[1::2]

    def fill(self, values: Mapping[str, str]) -> str:
        """The text with the values put in as plain text; a value that isn't there is empty.

        Never raises. Values lose their control characters and line ends and are cut at MAX_VALUE.
        """
        pieces = [
            plain(values.get(part, ""), MAX_VALUE) if index % 2 else part
            for index, part in enumerate(self.parts)
        ]
        return "".join(pieces)[:MAX_TEXT]


def parse(text: str, names: Collection[str], fields: Collection[str] | None = None) -> Template:
    """Parse a template that may use `names` and `field.NAME` of `fields` (None: any NAME).

    Raises BadInput naming the placeholder and the nearest name that exists.
    """
    parts = [""]
    end = 0
    for token in _TOKEN.finditer(text):
        parts[-1] += text[end : token.start()]
        end = token.end()
        if token[0] in ("{{", "}}"):
            parts[-1] += token[0][0]
        elif token[1] is None:
            raise BadInput(
                "a brace stands alone", value=text, mend=f"write {token[0] * 2} for a brace"
            )
        else:
            parts += [_known(token[1], names, fields), ""]
    parts[-1] += text[end:]
    return Template(parts=tuple(parts))


def _known(name: str, names: Collection[str], fields: Collection[str] | None) -> str:
    prefix, dot, field = name.partition(".")
    if name in names or (prefix == "field" and dot and fields is None and field.isidentifier()):
        return name
    known = [*names, *(f"field.{one}" for one in fields or ())]
    if name in known:
        return name
    near = get_close_matches(name, known, n=1) or get_close_matches(prefix, known, n=1)
    mend = f"did you mean {{{near[0]}}}?" if near else f"known are {', '.join(known)}"
    raise BadInput(f"no placeholder is called {{{name[:60]}}}", value=f"{{{name}}}", mend=mend)
