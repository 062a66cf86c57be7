"""What is valid in a configuration and still unwise: the warnings of `dragoman check`.

Called by cli/check.py. Nothing is connected to; every text names the setting and how to mend it.
"""

from collections.abc import Iterator
from difflib import get_close_matches

from dragoman.config.mapping import rules
from dragoman.config.model import Config, ReadRule


def advice(config: Config) -> Iterator[str]:
    """The warnings, in the order of the file's tables."""
    for desk, table in config.desks.items():
        for at, rule in rules(table.read):
            if at == ("read", "kind"):
                yield from _kinds(f"desks.{desk}.read.kind", rule, config)
    for name, fleet in config.fleets.items():
        if not getattr(fleet.options, "robots", True):
            yield (
                f"fleets.{name}.robots is empty, so that whoever may write to the broker can be "
                'a robot and get orders; list yours, like robots = ["maker/*"]'
            )
    if config.missions and not config.locations:
        yield (
            "there are missions but no [locations], so no robot can be sent anywhere; "
            'add [locations."NAME"], or name a table by site.locations_file'
        )


def _kinds(at: str, rule: ReadRule, config: Config) -> Iterator[str]:
    """The kinds that a desk's cases can get, as far as the file tells, and that have no mission."""
    given = {f"map.{key}": kind for key, kind in (rule.map or {}).items()}
    if rule.const is not None and not rule.map:
        given["const"] = rule.const
    if rule.default is not None:
        given["default"] = rule.default
    told: set[str] = set()
    for key, kind in given.items():
        if kind in config.missions or kind in told:
            continue
        told.add(kind)
        near = get_close_matches(kind, config.missions, n=1)
        mend = f"did you mean {near[0]}?" if near else f"add [missions.{kind}]"
        yield f"{at}.{key}: there is no mission for the kind {kind!r}; {mend}"
