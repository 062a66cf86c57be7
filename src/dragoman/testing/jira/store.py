"""What the emulated Jira site knows: issues with history and comments, and the index that lags.

Written by `edits` and `desk`, read by `render` and `search`. A single issue is always read as it
is; a search sees what the index knew: changes show after `lag_s`, as on the real cloud site.
"""

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from dragoman.testing.jira.schema import STATUSES, Field, User
from dragoman.testing.jira.wire import NO_ISSUE, Refused

Event = Callable[[str, "Issue", User, Mapping[str, object]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One field's change. old, new: as people see them."""

    field: Field
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One entry of the changelog."""

    id: int
    author: User
    created: datetime
    items: tuple[Item, ...]


@dataclass(slots=True, kw_only=True)
class Comment:
    """body: an Atlassian document. properties: entity properties by key."""

    id: int
    author: User
    created: datetime
    body: Mapping[str, object]
    properties: dict[str, object] = field(default_factory=dict)

    @property
    def public(self) -> bool:
        """Whether customers of a service project see it."""
        told = self.properties.get("sd.public.comment")
        return not (isinstance(told, Mapping) and told.get("internal") is True)


@dataclass(slots=True, kw_only=True)
class Issue:
    """values: field id → value: text, number, a list of labels, a name, a document, an account id.
    spoilt: field id → JSON that is shown in its place, for what a test wants to be broken.
    """

    id: int
    key: str
    created: datetime
    updated: datetime
    creator: User
    values: dict[str, object]
    histories: list[History] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    properties: dict[str, object] = field(default_factory=dict)
    spoilt: dict[str, object] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """The name of its status."""
        return str(self.values["status"])

    def frozen(self) -> "Issue":
        """A copy for the index; what can't change is shared."""
        return Issue(
            id=self.id,
            key=self.key,
            created=self.created,
            updated=self.updated,
            creator=self.creator,
            values=copy.copy(self.values),
            histories=list(self.histories),
            comments=list(self.comments),
            properties=dict(self.properties),
            spoilt=self.spoilt,
        )


class Store:
    """One site. now: its clock, aware. lag_s: seconds until a change shows in a search."""

    def __init__(
        self,
        project: str,
        fields: Iterable[Field],
        people: Mapping[str, User],
        now: Callable[[], datetime],
    ) -> None:
        self.project = project
        self.fields = {one.id: one for one in fields}
        self.people = dict(people)
        self.now = now
        self.lag_s = 0.0
        self.issues: dict[int, Issue] = {}
        self.listeners: list[Event] = []
        self._keys: dict[str, int] = {}
        self._index: dict[int, Issue] = {}
        self._waiting: list[tuple[datetime, Issue]] = []
        self._last_id = 10_000
        self._numbers: dict[str, int] = {}

    def next_id(self) -> int:
        """Ids of issues, comments and history come from one sequence here."""
        self._last_id += 1
        return self._last_id

    def moment(self, after: datetime | None = None) -> datetime:
        """The time of a change in whole milliseconds, later than the one before it."""
        found = self.now()
        found = found.replace(microsecond=found.microsecond // 1000 * 1000)
        if after is not None and found <= after:
            found = after + timedelta(milliseconds=1)
        return found

    def add(self, values: Mapping[str, object], author: User, project: str = "") -> Issue:
        """A new issue in status Open."""
        project = project or self.project
        self._numbers[project] = self._numbers.get(project, 0) + 1
        moment = self.moment()
        issue = Issue(
            id=self.next_id(),
            key=f"{project}-{self._numbers[project]}",
            created=moment,
            updated=moment,
            creator=author,
            values={
                **dict.fromkeys(self.fields),
                "labels": [],
                "priority": "Medium",
                "issuetype": "Task",
                "reporter": author.account_id,
                **values,
                "project": project,
                "status": "Open",
            },
        )
        self.issues[issue.id] = issue
        self._keys[issue.key] = issue.id
        self._changed(issue, "jira:issue_created", author, {})
        return issue

    def change(self, issue: Issue, author: User, values: Mapping[str, object]) -> History | None:
        """Set values; one entry of history. Nothing happens if all are so already."""
        items = tuple(
            Item(field=self.fields[name], old=_shown(issue.values[name]), new=_shown(value))
            for name, value in values.items()
            if issue.values[name] != value
        )
        if not items:
            return None
        issue.updated = self.moment(issue.updated)
        history = History(id=self.next_id(), author=author, created=issue.updated, items=items)
        issue.histories.append(history)
        issue.values.update(values)
        self._changed(issue, "jira:issue_updated", author, {"history": history})
        return history

    def comment(
        self,
        issue: Issue,
        author: User,
        body: Mapping[str, object],
        properties: Mapping[str, object],
    ) -> Comment:
        """Add a comment; it counts as an update of the issue."""
        issue.updated = self.moment(issue.updated)
        comment = Comment(
            id=self.next_id(),
            author=author,
            created=issue.updated,
            body=body,
            properties=dict(properties),
        )
        issue.comments.append(comment)
        self._changed(issue, "comment_created", author, {"comment": comment})
        return comment

    def delete(self, issue: Issue, author: User) -> None:
        """Remove an issue, from the index too."""
        del self.issues[issue.id], self._keys[issue.key]
        self._index.pop(issue.id, None)
        self._waiting = [pair for pair in self._waiting if pair[1].id != issue.id]
        self._tell("jira:issue_deleted", issue, author, {})

    def find(self, id_or_key: str) -> Issue:
        """An issue by id or key. Raises Refused (404)."""
        known = int(id_or_key) if id_or_key.isdigit() else self._keys.get(id_or_key.upper(), 0)
        if known not in self.issues:
            raise Refused(404, NO_ISSUE)
        return self.issues[known]

    def settle(self, issue: Issue) -> None:
        """Let the index catch up with one issue at once."""
        if self._waiting:
            self._waiting = [pair for pair in self._waiting if pair[1].id != issue.id]
        self._index[issue.id] = issue.frozen()

    def indexed(self, reconcile: Iterable[int] = ()) -> Iterable[Issue]:
        """What a search sees. reconcile: ids of issues that it shall see as they are."""
        now = self.now()
        waiting, self._waiting = self._waiting, []
        for due, frozen in waiting:
            if due <= now:
                self._index[frozen.id] = frozen
            else:
                self._waiting.append((due, frozen))
        fresh = {number: self.issues[number] for number in reconcile if number in self.issues}
        return (self._index | fresh).values()

    def category(self, issue: Issue) -> str:
        """The key of the category that its status is in."""
        return STATUSES[issue.status][1]

    def _changed(self, issue: Issue, event: str, author: User, more: Mapping[str, object]) -> None:
        if self.lag_s:
            self._waiting.append((self.now() + timedelta(seconds=self.lag_s), issue.frozen()))
        else:
            self.settle(issue)
        self._tell(event, issue, author, more)

    def _tell(self, event: str, issue: Issue, author: User, more: Mapping[str, object]) -> None:
        for listener in self.listeners:
            listener(event, issue, author, more)


def _shown(value: object) -> str | None:
    if value is None:
        return None
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
