"""Record ids of the emulated org: 15 characters where case counts, 18 where it needn't.

Used by `store` and `soql`. The first three characters name the object, the last three of 18 say
which of the others are capitals. Source: Salesforce's "ID Field Type".
"""

import re

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_SHAPE = re.compile(r"[0-9A-Za-z]{15}([0-9A-Za-z]{3})?")


def new_id(prefix: str, number: int) -> str:
    """The 18-character id of the object's record with this number."""
    digits = ""
    for _ in range(9):
        number, digit = divmod(number, 62)
        digits = _DIGITS[digit] + digits
    return long_id(f"{prefix}5g0{digits}")


def long_id(text: str) -> str:
    """The 18-character form of an id. Raises ValueError for what is none."""
    if not _SHAPE.fullmatch(text):
        raise ValueError(text)
    short = text[:15]
    suffix = ""
    for start in (0, 5, 10):
        capitals = (char.isupper() for char in short[start : start + 5])
        suffix += _SUFFIX[sum(1 << place for place, capital in enumerate(capitals) if capital)]
    if text[15:] not in ("", suffix):
        raise ValueError(text)
    return short + suffix
