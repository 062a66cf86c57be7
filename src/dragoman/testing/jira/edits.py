"""Changing issues in the emulated Jira: create, edit, transition, comment, as Jira refuses them.

Called by `routes` with what came over HTTP, and by `desk` for the site's own people. A refusal
changes nothing, and names each field with Jira's words for it.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from dragoman.testing.jira.documents import from_text, problem
from dragoman.testing.jira.schema import OFF_SCREEN, TRANSITIONS, Field, Kind, Transition, User
from dragoman.testing.jira.store import Comment, Issue, Store
from dragoman.testing.jira.wire import Refused, stamp

_LONGEST = 32_767
_OFF_SCREEN = "Field '{}' cannot be set. It is not on the appropriate screen, or unknown."


def allow(user: User, doing: str) -> None:
    """Raises Refused (403) unless the account may do this."""
    if doing not in user.may:
        words = {"edit": "edit issues", "comment": "comment on issues", "create": "create issues"}
        raise Refused(
            403, f"You do not have permission to {words.get(doing, doing)} in this project."
        )


class Edits:
    """All writes, by one version of the API (2 or 3: text or documents)."""

    def __init__(self, store: Store, version: int) -> None:
        self._store = store
        self._version = version

    def create(self, body: Mapping[str, Any], user: User) -> Issue:
        """A new issue. Raises Refused."""
        fields = dict(_object(body.get("fields")))
        project = fields.pop("project", None)
        key = _object(project).get("key") or ("" if _object(project).get("id") else None)
        if key is None or (key and key != self._store.project):
            raise Refused(400, errors={"project": "valid project is required"})
        if "create" not in user.may:
            raise Refused(400, errors={"project": "You cannot create issues in this project."})
        values, errors = self._values(fields)
        if "issuetype" not in fields and "issuetype" not in errors:
            errors["issuetype"] = "Specify an issue type"
        if not fields.get("summary") and "summary" not in errors:
            errors["summary"] = "You must specify a summary of the issue."
        if errors:
            raise Refused(400, errors=errors)
        return self._store.add(values, user)

    def edit(self, issue: Issue, body: Mapping[str, Any], user: User) -> None:
        """Change fields; a comment may come along. Raises Refused."""
        allow(user, "edit")
        update = dict(_object(body.get("update")))
        comments = update.pop("comment", [])
        values, errors = self._values(_object(body.get("fields")))
        for name, steps in update.items():
            self._step(issue, name, steps, values, errors)
        if errors:
            raise Refused(400, errors=errors)
        self._store.change(issue, user, values)
        for step in comments:
            self.comment(issue, _object(step.get("add")), user)

    def offered(self, issue: Issue, user: User) -> list[Transition]:
        """The transitions that this user may make now."""
        if "transition" not in user.may:
            return []
        return [one for one in TRANSITIONS if issue.status in one.sources]

    def transition(self, issue: Issue, body: Mapping[str, Any], user: User) -> None:
        """Move an issue through its workflow. Raises Refused."""
        wanted = str(_object(body.get("transition")).get("id", ""))
        if not wanted:
            raise Refused(400, "Missing 'transition' identifier")
        chosen = next((one for one in self.offered(issue, user) if str(one.id) == wanted), None)
        if chosen is None:
            raise Refused(
                400,
                f"It seems that you have tried to perform an illegal workflow operation: action "
                f"{wanted} is not valid for issue {issue.key} in its current state.",
            )
        values, errors = self._values(_object(body.get("fields")), chosen.asks)
        for name in chosen.asks:
            if values.get(name) is None and name not in errors:
                errors[name] = f"{self._store.fields[name].name} is required."
        if errors:
            raise Refused(400, errors=errors)
        self._store.change(issue, user, {**chosen.sets, **values, "status": chosen.target})
        for step in _object(body.get("update")).get("comment", []):
            self.comment(issue, _object(step.get("add")), user)

    def comment(self, issue: Issue, body: Mapping[str, Any], user: User) -> Comment:
        """Add a comment. Raises Refused."""
        allow(user, "comment")
        document = self._document(body.get("body"), "comment")
        properties = {
            str(one.get("key")): one.get("value")
            for one in map(_object, body.get("properties") or [])
        }
        return self._store.comment(issue, user, document, properties)

    def _values(
        self, sent: Mapping[str, Any], screen: Iterable[str] | None = None
    ) -> tuple[dict[str, object], dict[str, str]]:
        """(values, errors by field) of what was sent for a screen; None: the edit screen."""
        on_screen = {name for name in self._store.fields if name not in OFF_SCREEN}
        on_screen = on_screen if screen is None else set(screen)
        values: dict[str, object] = {}
        errors: dict[str, str] = {}
        for name, value in sent.items():
            if name not in on_screen:
                errors[name] = _OFF_SCREEN.format(name)
                continue
            try:
                values[name] = self._value(self._store.fields[name], value)
            except Refused as refused:
                errors |= refused.errors or {name: " ".join(refused.messages)}
        return values, errors

    def _step(
        self,
        issue: Issue,
        name: str,
        steps: Sequence[Mapping[str, Any]],
        values: dict[str, object],
        errors: dict[str, str],
    ) -> None:
        """One field of `update`: set, or add and remove for labels."""
        for step in steps:
            for verb, value in step.items():
                if verb in ("add", "remove") and name == "labels":
                    held = values.get(name, issue.values[name])
                    labels = list(held) if isinstance(held, list) else []
                    kept = [one for one in labels if one != value]
                    value = [*kept, value] if verb == "add" else kept  # noqa: PLW2901 - as if set
                elif verb != "set":
                    errors[name] = f"Field does not support update '{name}'"
                    continue
                found, wrong = self._values({name: value})
                values |= found
                errors |= wrong

    def _value(self, field: Field, value: Any) -> object:
        """A value as the store keeps it. Raises Refused with the field's error."""
        if value is None or value == "":
            if field.id == "summary":
                raise _wrong(field, "You must specify a summary of the issue.")
            return [] if field.kind is Kind.LABELS else None
        if field.kind is Kind.RICH:
            return self._document(value, field.id)
        if field.kind is Kind.USER:
            account = _object(value).get("accountId") or _object(value).get("id")
            if account not in {one.account_id for one in self._store.people.values()}:
                raise _wrong(field, f"User '{account}' does not exist.")
            return account
        return _READ[field.kind](field, value)

    def _document(self, value: object, name: str) -> dict[str, object]:
        """A document from what this version of the API takes. Raises Refused."""
        if self._version == 2:
            if not isinstance(value, str):
                raise Refused(400, errors={name: "Operation value must be a string"})
            found = from_text(value)
        else:
            wrong = problem(value)
            if wrong:
                raise Refused(400, errors={name: wrong})
            found = dict(_object(value))
        if len(str(found)) > 10 * _LONGEST:
            raise Refused(400, errors={name: "CONTENT_LIMIT_EXCEEDED"})
        return found


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _wrong(field: Field, words: str) -> Refused:
    return Refused(400, errors={field.id: words})


def _text(field: Field, value: object) -> str:
    if not isinstance(value, str):
        raise _wrong(field, "Operation value must be a string")
    if field.id == "summary" and "\n" in value:
        raise _wrong(field, "The summary is invalid because it contains newline characters.")
    if len(value) > 255:
        raise _wrong(field, f"{field.name} can't exceed 255 characters.")
    return value


def _labels(field: Field, value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise _wrong(field, "Operation value must be an array of strings")
    for one in value:
        if " " in one:
            raise _wrong(field, f"The label '{one}' contains spaces which is invalid.")
        if len(one) > 255:
            raise _wrong(field, f"The label '{one}' exceeds the maximum length for labels.")
    return list(dict.fromkeys(value))


def _number(field: Field, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(field, "Operation value must be a number")
    return float(value)


def _date(field: Field, value: object) -> str:
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise _wrong(field, f"Error parsing date string: {value}") from None


def _datetime(field: Field, value: object) -> str:
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4}", str(value)):
        raise _wrong(field, f"Error parsing time: {value}, expected yyyy-MM-dd'T'HH:mm:ss.SSSZ")
    return stamp(datetime.fromisoformat(str(value)))


def _option(field: Field, value: object) -> str:
    found = _known(field, _object(value).get("value"))
    if found is None:
        raise _wrong(field, f"Option value '{value}' is not valid")
    return found


def _named(field: Field, value: object) -> str:
    given = _object(value)
    found = _known(field, given.get("name"))
    number = str(given.get("id", ""))
    if found is None and number.isdigit() and 0 < int(number) <= len(field.allowed):
        found = field.allowed[int(number) - 1]
    if found is None:
        raise _wrong(field, f"The {field.name.lower()} selected is invalid.")
    return found


def _known(field: Field, name: object) -> str | None:
    return {one.lower(): one for one in field.allowed}.get(str(name).lower())


_READ: Mapping[Kind, Callable[[Field, object], object]] = {
    Kind.TEXT: _text,
    Kind.NUMBER: _number,
    Kind.LABELS: _labels,
    Kind.DATE: _date,
    Kind.DATETIME: _datetime,
    Kind.OPTION: _option,
    Kind.NAMED: _named,
}
"""How the kinds that need no more than the field itself are read."""
