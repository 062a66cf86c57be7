"""Compiles JMESPath expressions (https://jmespath.org) into readers of a desk's record.

Used by model.py to check an expression where it stands, and by mapping.py to compile it.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError, ParseError
from jmespath.functions import Functions

from dragoman.config.fields import refused
from dragoman.domain.errors import BadInput
from dragoman.domain.mapping import Reader

_EVALUATION = (JMESPathError, TypeError, ValueError, ArithmeticError, LookupError, RecursionError)


def checked(path: str) -> str:
    """A validator for settings that are expressions."""
    try:
        reader(path)
    except BadInput as error:
        raise refused(error.text, error.mend) from error
    return path


def reader(path: str) -> Reader:
    """Compile a JMESPath. Raises BadInput naming the column; the reader raises BadInput too."""
    try:
        compiled: Any = jmespath.compile(path)
    except ParseError as error:
        at = min(error.lex_position, len(path)) + 1
        raise BadInput(
            f"this is no JMESPath: column {at} can't be read",
            value=path,
            mend="see https://jmespath.org; names with other signs than A-Z 0-9 _ stand in quotes",
        ) from error
    except JMESPathError as error:
        raise BadInput(
            "this is no JMESPath", value=path, mend="write one, like `number`"
        ) from error
    _check_functions(path, compiled.parsed)

    def read(raw: Mapping[str, object]) -> object:
        try:
            return compiled.search(raw)
        except _EVALUATION as error:
            raise BadInput(
                f"the path {path} can't be evaluated on this record ({type(error).__name__})",
                field=path,
                mend="let the path allow for missing values, like `a || b`",
            ) from error

    return read


def _check_functions(path: str, node: Mapping[str, Any]) -> None:
    """Find unknown functions and wrong numbers of arguments, which JMESPath tells at use only."""
    if node["type"] == "function_expression":
        name, given = node["value"], len(node["children"])
        if name not in Functions.FUNCTION_TABLE:
            near = get_close_matches(name, Functions.FUNCTION_TABLE, n=1)
            mend = (
                f"did you mean {near[0]}?" if near else "see the functions at https://jmespath.org"
            )
            column = path.find(name) + 1
            raise BadInput(f"column {column}: no function {name}", value=path, mend=mend)
        signature = Functions.FUNCTION_TABLE[name]["signature"]
        more = bool(signature) and signature[-1].get("variadic")
        if given < len(signature) or (given > len(signature) and not more):
            column = path.find(name) + 1
            raise BadInput(
                f"column {column}: {name} takes {len(signature)} arguments, not {given}",
                value=path,
                mend="see https://jmespath.org",
            )
    for child in node["children"]:
        if isinstance(child, Mapping):
            _check_functions(path, child)
