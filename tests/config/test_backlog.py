"""`backlog` of a desk: what it may be, and what it needs."""

import pytest
from pydantic import ValidationError

from dragoman.config.model import DeskTable


def test_a_backlog_is_ignored_only_where_there_is_a_first_look() -> None:
    hook = {"secrets": [{"env": "HOOK"}]}
    unpolled = {"type": "rt", "poll": {"enabled": False}, "webhook": hook}
    assert DeskTable.model_validate(unpolled).backlog == "on_change"
    assert DeskTable.model_validate({"type": "rt", "backlog": "ignore"}).backlog == "ignore"
    with pytest.raises(ValidationError, match="needs the first look of polling"):
        DeskTable.model_validate({**unpolled, "backlog": "ignore"})
    with pytest.raises(ValidationError):
        DeskTable.model_validate({"type": "rt", "backlog": "drop"})
