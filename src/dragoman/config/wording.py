"""Says in our words what pydantic found wrong with one value, and how to mend it.

Used for the configuration (problems.py, locations.py) and for requests to the API
(web/problems.py). Source: pydantic's documentation, "Validation errors" (types and contexts).
"""

from collections.abc import Mapping

from pydantic_core import ErrorDetails

_TABLE = ("this has to be a table", "write it as keys and values, like {{ key = value }}")
_LIST = ("this has to be a list", "write it in brackets, like [1, 2]")
_NUMBER = ("this has to be a number", "write it without quotes, like 2")
_WHOLE = ("this has to be a whole number", "write it without a fraction and quotes, like 2")
_SWITCH = ("this has to be true or false", "write true or false, without quotes")
_TEXT = ("this has to be a text", "put it in quotes")
_CHOICE = "there is no such choice"

WORDS: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(
        ("dict_type", "mapping_type", "model_type", "model_attributes_type", "dataclass_type"),
        _TABLE,
    ),
    **dict.fromkeys(("tuple_type", "list_type", "set_type", "frozen_set_type"), _LIST),
    **dict.fromkeys(("float_type", "float_parsing"), _NUMBER),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), _WHOLE),
    **dict.fromkeys(("bool_type", "bool_parsing"), _SWITCH),
    **dict.fromkeys(("string_type", "path_type"), _TEXT),
    "finite_number": ("this is no finite number", "write a number, not inf or nan"),
    "string_pattern_mismatch": ("this has not the form that is wanted", "it has to fit {pattern}"),
    "string_too_short": ("this is too short", "write at least {min_length} characters"),
    "string_too_long": ("this is too long", "write at most {max_length} characters"),
    "too_short": ("this list is too short", "give at least {min_length}"),
    "too_long": ("this list is too long", "give at most {max_length}"),
    "literal_error": (_CHOICE, "write {expected}"),
    "enum": (_CHOICE, "write {expected}"),
    "union_tag_invalid": ("there is no {discriminator} {tag!r} here", "write {expected_tags}"),
    "union_tag_not_found": ("nothing says of which type this is", "add {discriminator}"),
    "greater_than": ("this is too small", "it has to be above {gt:g}"),
    "greater_than_equal": ("this is too small", "it has to be at least {ge:g}"),
    "less_than": ("this is too large", "it has to be below {lt:g}"),
    "less_than_equal": ("this is too large", "it has to be at most {le:g}"),
    "missing": ("this is missing", "add it"),
    "extra_forbidden": ("there is nothing of this name", "leave it out"),
    "json_invalid": ("the body isn't JSON", "send one JSON object"),
}
"""Type of pydantic's error → text and mend, with the names of its context to fill in."""


def sentence(error: ErrorDetails) -> tuple[str, str]:
    """Text and mend. What `refused` (fields.py) says stays as it is; so do types not known here."""
    kind, context = error["type"], dict(error.get("ctx", {}))
    if kind not in WORDS:
        text, _, mend = error["msg"].partition("; ")
        return text, mend
    if "discriminator" in context:
        context["discriminator"] = str(context["discriminator"]).strip("'")
    if kind == "too_short" and not context.get("actual_length"):
        return "this list is empty", f"give at least {context['min_length']}"
    text, mend = WORDS[kind]
    return text.format(**context), mend.format(**context)
