"""How the emulated Jira shows issues, comments, fields and workflow, in version 2 and 3.

Called by `routes`, `search` and `webhooks`. Times are in the reader's zone. Version 3 shows rich
text as Atlassian documents, version 2 as text. Source: Jira Cloud REST API, the schemas of issue,
comment, changelog, field and transition.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from dragoman.testing.jira.documents import to_text
from dragoman.testing.jira.schema import (
    CATEGORIES,
    ISSUE_TYPES,
    OFF_SCREEN,
    STATUSES,
    Field,
    Kind,
    Transition,
    User,
)
from dragoman.testing.jira.store import Comment, History, Issue, Store
from dragoman.testing.jira.wire import stamp

PROJECT_ID = "10000"
_EMBEDDED_COMMENTS = 20
_EMBEDDED_HISTORIES = 40


def user_json(user: User, base: str) -> dict[str, object]:
    """A user as other resources hold it."""
    return {
        "self": f"{base}/user?accountId={user.account_id}",
        "accountId": user.account_id,
        "displayName": user.name,
        "active": True,
        "timeZone": str(user.zone),
        "accountType": "app" if user.name.endswith("Gateway") else "atlassian",
    }


def status_json(name: str, base: str) -> dict[str, object]:
    """A status with its category."""
    number, category = STATUSES[name]
    category_id, label = CATEGORIES[category]
    return {
        "self": f"{base}/status/{number}",
        "id": str(number),
        "name": name,
        "description": "",
        "iconUrl": "",
        "statusCategory": {
            "self": f"{base}/statuscategory/{category_id}",
            "id": category_id,
            "key": category,
            "name": label,
            "colorName": {"new": "blue-gray", "indeterminate": "yellow", "done": "green"}[category],
        },
    }


def named_json(field: Field, name: object, base: str) -> dict[str, object]:
    """A priority, resolution, issue type or option, by its name."""
    number = str(field.allowed.index(str(name)) + 1) if name in field.allowed else "0"
    if field.kind is Kind.OPTION:
        return {
            "self": f"{base}/customFieldOption/{number}",
            "value": name,
            "id": f"{field.custom_id}{number}",
        }
    return {"self": f"{base}/{field.id}/{number}", "id": number, "name": name, "iconUrl": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What one reader sees. version: 2 or 3. base: address of the API, up to the version."""

    store: Store
    base: str
    version: int
    reader: User

    def issue(self, issue: Issue, fields: Sequence[str], expand: str = "") -> dict[str, object]:
        """An issue. fields: ids, *all, *navigable, and ids to leave out with a hyphen."""
        wanted = self._wanted(fields)
        shown = {name: self._value(issue, name) for name in wanted} | {
            name: value for name, value in issue.spoilt.items() if name in wanted
        }
        expanded = {part.strip() for part in expand.split(",")}
        body: dict[str, object] = {
            "expand": "renderedFields,names,schema,operations,editmeta,changelog,transitions",
            "id": str(issue.id),
            "self": f"{self.base}/issue/{issue.id}",
            "key": issue.key,
            "fields": shown,
        }
        if "changelog" in expanded:
            histories = list(reversed(issue.histories))[:_EMBEDDED_HISTORIES]
            body["changelog"] = {
                "startAt": 0,
                "maxResults": len(histories),
                "total": len(issue.histories),
                "histories": [self.history(one) for one in histories],
            }
        if "names" in expanded:
            body["names"] = {name: self.store.fields[name].name for name in wanted}
        return body

    def comment(self, issue: Issue, comment: Comment, expand: str = "") -> dict[str, object]:
        """One comment."""
        author = user_json(comment.author, self.base)
        body: dict[str, object] = {
            "self": f"{self.base}/issue/{issue.id}/comment/{comment.id}",
            "id": str(comment.id),
            "author": author,
            "body": self.rich(comment.body),
            "updateAuthor": author,
            "created": self.time(comment.created),
            "updated": self.time(comment.created),
            "jsdPublic": comment.public,
        }
        if "properties" in expand:
            body["properties"] = [
                {"key": key, "value": value} for key, value in comment.properties.items()
            ]
        return body

    def history(self, history: History) -> dict[str, object]:
        """One entry of the changelog."""
        return {
            "id": str(history.id),
            "author": user_json(history.author, self.base),
            "created": self.time(history.created),
            "items": [
                {
                    "field": item.field.id if not item.field.custom_id else item.field.name,
                    "fieldtype": "custom" if item.field.custom_id else "jira",
                    "fieldId": item.field.id,
                    "from": None,
                    "fromString": item.old,
                    "to": None,
                    "toString": item.new,
                }
                for item in history.items
            ],
        }

    def transition(self, transition: Transition, *, with_fields: bool) -> dict[str, object]:
        """A transition as an issue offers it."""
        body: dict[str, object] = {
            "id": str(transition.id),
            "name": transition.name,
            "to": status_json(transition.target, self.base),
            "hasScreen": bool(transition.asks),
            "isGlobal": False,
            "isInitial": False,
            "isAvailable": True,
            "isConditional": False,
        }
        if with_fields:
            body["fields"] = {
                name: self.meta(self.store.fields[name], required=True) for name in transition.asks
            }
        return body

    def meta(self, field: Field, *, required: bool = False) -> dict[str, object]:
        """A field in the metadata of a screen."""
        body: dict[str, object] = {
            "required": required,
            "schema": field.schema(),
            "name": field.name,
            "key": field.id,
            "fieldId": field.id,
            "hasDefaultValue": False,
            "operations": ["add", "set", "remove"] if field.kind is Kind.LABELS else ["set"],
        }
        if field.allowed:
            body["allowedValues"] = [named_json(field, name, self.base) for name in field.allowed]
        return body

    def screen(self) -> dict[str, object]:
        """The fields of the edit screen."""
        return {
            field.id: self.meta(field, required=field.id == "summary")
            for field in self.store.fields.values()
            if field.id not in OFF_SCREEN
        }

    def field(self, field: Field) -> dict[str, object]:
        """A field in the list of all fields."""
        clauses = [*field.clauses, field.id] if not field.custom_id else list(field.clauses)
        return {
            "id": field.id,
            "key": field.id,
            "name": field.name,
            "custom": bool(field.custom_id),
            "orderable": True,
            "navigable": field.kind is not Kind.COMMENTS,
            "searchable": True,
            "clauseNames": clauses,
            "schema": field.schema(),
        }

    def project(self) -> dict[str, object]:
        """The project with its issue types."""
        issue_type = self.store.fields["issuetype"]
        types = [
            named_json(issue_type, name, self.base) | {"subtask": False} for name in ISSUE_TYPES
        ]
        return self._project(self.store.project) | {"issueTypes": types}

    def time(self, moment: datetime) -> str:
        """A time in the reader's zone."""
        return stamp(moment, self.reader.zone)

    def rich(self, document: object) -> object:
        """A document, or its text in version 2."""
        return document if self.version == 3 or document is None else to_text(document)

    def _wanted(self, fields: Sequence[str]) -> Iterable[str]:
        known = self.store.fields
        out = {name[1:] for name in fields if name.startswith("-")}
        named = [name for name in fields if not name.startswith("-")]
        if "*all" in named or not named:
            named = list(known)
        elif "*navigable" in named:
            named = [*(name for name in known if name != "comment"), *named]
        return dict.fromkeys(name for name in named if name in known and name not in out)

    def _value(self, issue: Issue, name: str) -> object:
        field, value = self.store.fields[name], issue.values[name]
        match name:
            case "created" | "updated":
                return self.time(getattr(issue, name))
            case "creator":
                return user_json(issue.creator, self.base)
            case "status":
                return status_json(issue.status, self.base)
            case "comment":
                return self._comments(issue)
        if value is None:
            return None
        match field.kind:
            case Kind.RICH:
                return self.rich(value)
            case Kind.OPTION | Kind.NAMED:
                return named_json(field, value, self.base)
            case Kind.PROJECT:
                return self._project(str(value))
            case Kind.USER:
                people = {one.account_id: one for one in self.store.people.values()}
                return user_json(people[str(value)], self.base)
        return value

    def _comments(self, issue: Issue) -> dict[str, object]:
        newest = issue.comments[-_EMBEDDED_COMMENTS:]
        return {
            "comments": [self.comment(issue, one) for one in newest],
            "self": f"{self.base}/issue/{issue.id}/comment",
            "maxResults": len(newest),
            "total": len(issue.comments),
            "startAt": 0,
        }

    def _project(self, key: str) -> dict[str, object]:
        return {
            "self": f"{self.base}/project/{PROJECT_ID}",
            "id": PROJECT_ID,
            "key": key,
            "name": f"{key} service desk",
            "projectTypeKey": "service_desk",
            "simplified": False,
        }
