"""An emulated Jira Cloud site with a service project, over real HTTP. Public API.

For tests of the adapter in `dragoman.desks.jira`, and for anybody who writes a client: PyPI's
`jira` and `atlassian-python-api` work against it unchanged (tests/testing/jira).

>>> async with EmulatedJira() as site:
...     issue = site.open("Inspect pump 7")
...     ...  # point an adapter at site.url with site.tokens["gateway"]

The parts, in the way of a call: server, limits, routes (issue_routes, call), search (jql,
jql_match), edits, documents, render, store, schema; beside them webhooks and faults. What it
leaves out: attachments, links, worklogs, several projects and screens, WAS and CHANGED in JQL,
the service desk API (/rest/servicedeskapi).
"""

from dragoman.testing.jira.faults import READ, WRITE, Fault
from dragoman.testing.jira.schema import Field, Kind, User, custom
from dragoman.testing.jira.server import EmulatedJira
from dragoman.testing.jira.store import Comment, History, Issue, Store
from dragoman.testing.jira.wire import Refused

__all__ = [
    "READ",
    "WRITE",
    "Comment",
    "EmulatedJira",
    "Fault",
    "Field",
    "History",
    "Issue",
    "Kind",
    "Refused",
    "Store",
    "User",
    "custom",
]
