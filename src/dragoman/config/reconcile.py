"""`[reconcile]`: when and how both sides are compared. A part of config/model.py."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from dragoman.config.fields import Table, Text, ZoneName, refused


def _clock(text: str) -> str:
    hours, colon, minutes = text.partition(":")
    whole = colon and hours.isdecimal() and minutes.isdecimal() and len(text) == 5
    if not whole or int(hours) > 23 or int(minutes) > 59:
        raise refused("this is no time of the day", 'write "HH:MM", like "06:00"')
    return text


Clock = Annotated[str, AfterValidator(_clock)]
Seconds = Annotated[float, Field(gt=0)]


class ReconcileTable(Table):
    """`[reconcile]`. The meaning of each is in domain/reconcile/mismatch.py, `Rules`."""

    enabled: bool = True
    every_s: Seconds = 60.0
    recent_s: Seconds = 900.0
    requests_per_minute: Annotated[int, Field(ge=1)] = 30
    grace_s: Seconds = 30.0
    heal_within_s: Seconds = 300.0
    left: Literal["cancel", "hold", "ask"] = "cancel"
    most_called_off: Annotated[int, Field(ge=0)] = 10
    fields: dict[Text, Literal["ours", "theirs", "ask"]] = Field(default_factory=dict)
    shifts: Annotated[tuple[Clock, ...], Field(min_length=1)] = ("06:00", "14:00", "22:00")
    zone: ZoneName | None = None
    sweep_before_s: Seconds = 1800.0
