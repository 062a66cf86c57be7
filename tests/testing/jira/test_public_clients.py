"""Two clients that we didn't write, unchanged and over TLS, as witnesses of the emulated Jira.

Both are synchronous, so each scenario runs in a thread while the site serves on the loop.
"""

# The clients' own calls have types in part only.
# mypy: allow-untyped-calls

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import requests
from atlassian import Jira
from atlassian.jira import JiraCloud
from jira import JIRA
from jira.exceptions import JIRAError

from dragoman.testing.jira import EmulatedJira

Pycontribs = Callable[[], JIRA]
Atlassian = Callable[[], tuple[Jira, JiraCloud]]


def paragraph(text: str) -> dict[str, object]:
    content = [{"type": "paragraph", "content": [{"type": "text", "text": text}]}]
    return {"type": "doc", "version": 1, "content": content}


async def test_jira_creates_edits_moves_and_reads(
    tls_site: EmulatedJira, pycontribs: Pycontribs
) -> None:
    def scenario() -> None:
        client = pycontribs()
        assert client.server_info()["deploymentType"] == "Cloud"
        assert client.myself()["accountId"] == tls_site.gateway.account_id
        issue = client.create_issue(
            project="FAC", summary="Deliver to ward 3", issuetype="Incident", description="a\nb"
        )
        assert (issue.key, issue.fields.status.name) == ("FAC-1", "Open")
        assert issue.fields.description == "a\nb", "text in version 2"
        assert issue.fields.reporter.displayName == "Dragoman Gateway"
        assert [one["name"] for one in client.transitions(issue)][:2] == ["Start work", "Wait"]
        client.transition_issue(issue, "Start work")
        issue.update(summary="Deliver to ward 4", priority={"name": "High"}, labels=[{"add": "r"}])
        issue.add_field_value("labels", "robots")
        client.transition_issue(issue, "31", fields={"resolution": {"name": "Done"}})
        issue = client.issue("FAC-1", expand="changelog")
        assert str(issue.fields.resolution) == "Done"
        assert issue.fields.labels == ["r", "robots"]
        changed = [item.field for entry in issue.changelog.histories for item in entry.items]
        assert changed[:2] == ["resolution", "status"], "newest first"
        assert "summary" in client.editmeta(issue)["fields"]

    await asyncio.to_thread(scenario)
    (issue,) = tls_site.store.issues.values()
    assert issue.status == "Resolved"


async def test_jira_comments_and_properties(tls_site: EmulatedJira, pycontribs: Pycontribs) -> None:
    opened = tls_site.open("x")

    def scenario() -> None:
        client = pycontribs()
        client.add_comment(opened.key, "seen by all")
        internal = client.add_comment(opened.key, "for the staff", is_internal=True)
        told = client.comments(opened.key, expand="properties")
        assert [(one.body, one.jsdPublic) for one in told] == [
            ("seen by all", True),
            ("for the staff", False),
        ]
        assert told[1].properties[0].key == "sd.public.comment"
        assert client.comment(opened.key, internal.id).author.displayName == "Dragoman Gateway"
        client.add_issue_property(opened.key, "gateway", {"order": "o-1"})
        assert client.issue_property(opened.key, "gateway").value.order == "o-1"
        assert [one.key for one in client.issue_properties(opened.key)] == ["gateway"]

    await asyncio.to_thread(scenario)
    assert [public for _, public in tls_site.said(opened)] == [True, False]


@pytest.mark.parametrize("use_post", [False, True])
async def test_jira_reads_all_pages(
    tls_site: EmulatedJira, pycontribs: Pycontribs, use_post: bool
) -> None:
    keys = [tls_site.open(f"case {index}").key for index in range(230)]

    def scenario() -> list[str]:
        client = pycontribs()
        jql = "project = FAC ORDER BY key ASC"
        first = client.enhanced_search_issues(jql, maxResults=7, use_post=use_post)
        assert first.nextPageToken
        assert client.approximate_issue_count("project = FAC") == 230
        found = client.enhanced_search_issues(
            jql, maxResults=0, fields="summary", use_post=use_post
        )
        return [issue.key for issue in found]

    assert await asyncio.to_thread(scenario) == keys


async def test_the_search_lags_unless_it_is_told_to_look(
    tls_site: EmulatedJira, pycontribs: Pycontribs
) -> None:
    tls_site.open("known to the search")
    tls_site.store.lag_s = 3600
    late = tls_site.open("not known yet")

    def scenario() -> None:
        client = pycontribs()
        jql = "project = FAC"
        assert len(client.enhanced_search_issues(jql)) == 1
        assert len(client.enhanced_search_issues(jql, reconcileIssues=[late.id])) == 2
        assert client.issue(late.key).fields.summary == "not known yet"

    await asyncio.to_thread(scenario)


async def test_dates_are_read_to_the_minute_in_the_user_s_zone_or_in_milliseconds(
    tls_site: EmulatedJira, pycontribs: Pycontribs
) -> None:
    issue = tls_site.open("x")

    def scenario() -> None:
        client = pycontribs()
        updated = datetime.fromisoformat(client.issue(issue.key).fields.updated)
        assert updated.utcoffset() == timedelta(hours=8), "times are in the account's zone"
        millis = int(updated.timestamp() * 1000)
        minute = updated.replace(second=0)
        after = minute + timedelta(minutes=1)
        for condition, count in (
            (f"updated >= {millis}", 1),
            (f"updated > {millis}", 0),
            (f"updated <= {millis}", 1),
            (f'updated >= "{minute:%Y-%m-%d %H:%M}"', 1),
            (f'updated >= "{after:%Y/%m/%d %H:%M}"', 0),
            ("updated >= -5m", 1),
        ):
            assert len(client.search_issues(f"project = FAC AND {condition}")) == count
        with pytest.raises(JIRAError, match="Valid formats include"):
            client.search_issues(f'updated >= "{minute:%Y-%m-%d %H:%M:%S}"')

    await asyncio.to_thread(scenario)


async def test_jira_is_refused_in_jira_s_words(
    tls_site: EmulatedJira, pycontribs: Pycontribs
) -> None:
    issue = tls_site.open("x")

    def scenario() -> None:
        client = pycontribs()
        for call, status, words in (
            (lambda: client.issue("FAC-99"), 404, "does not exist or you do not have permission"),
            (lambda: client.search_issues("project = NOPE"), 400, "'NOPE' does not exist for the"),
            (lambda: client.search_issues("nope = 1"), 400, "Field 'nope' does not exist"),
            (lambda: client.search_issues("summary ~"), 400, "before the end of the query"),
            (lambda: client.search_issues("ORDER BY key"), 400, "Unbounded JQL"),
            (lambda: client.issue(issue.key).update(nope="1"), 400, "appropriate screen"),
            (lambda: client.transition_issue(issue.key, "41"), 400, "not valid for issue"),
            (lambda: client.transition_issue(issue.key, "31"), 400, "Resolution is required"),
            (lambda: client.create_issue(project="FAC", issuetype="Task"), 400, "a summary"),
        ):
            with pytest.raises(JIRAError, match=words) as refused:
                call()
            assert refused.value.status_code == status
        tls_site.tokens["gateway"] = "another"
        with pytest.raises(JIRAError, match="must be authenticated") as refused:
            client.myself()
        assert refused.value.status_code == 401

    await asyncio.to_thread(scenario)


async def test_jira_waits_as_the_limit_says(tls_site: EmulatedJira) -> None:
    def scenario() -> None:
        login = ("gateway@example.com", tls_site.tokens["gateway"])
        client = JIRA(tls_site.url, basic_auth=login, max_retries=0)
        tls_site.limit.per_second, tls_site.limit.burst = 0.1, 1
        client.myself()
        with pytest.raises(JIRAError) as refused:
            client.myself()
        assert refused.value.response is not None
        told = refused.value.response.headers
        assert refused.value.status_code == 429
        assert 1 <= int(told["Retry-After"]) <= 10
        assert told["RateLimit-Reason"] == "jira-burst-based"
        assert told["X-RateLimit-Remaining"] == "0"
        client.close()

    await asyncio.to_thread(scenario)


async def test_the_newer_atlassian_client_speaks_version_3(
    tls_site: EmulatedJira, atlassian: Atlassian
) -> None:
    def scenario() -> None:
        _, client = atlassian()
        fields = {
            "project": {"key": "FAC"},
            "issuetype": {"name": "Task"},
            "summary": "by version 3",
            "description": paragraph("a document"),
        }
        key = client.create_issue(data={"fields": fields})["key"]
        assert client.get_issue(key)["fields"]["description"] == fields["description"]
        client.add_comment(key, data={"body": paragraph("said")})
        assert client.get_comments(key)["comments"][0]["body"] == paragraph("said")
        with pytest.raises(requests.HTTPError, match="Atlassian Document"):
            client.add_comment(key, data={"body": "plain text"})
        client.edit_issue(key, data={"fields": {"customfield_10053": 81.5}})
        ways = client.get_transitions(key)["transitions"]
        client.do_transition(key, data={"transition": {"id": ways[0]["id"]}})
        log = client.get_change_logs(key)["values"]
        assert [entry["items"][0]["fieldId"] for entry in log] == ["customfield_10053", "status"]
        names = {one["id"]: one["name"] for one in client.get_fields()}
        assert names["customfield_10050"] == "Robot ID"
        several = client.bulk_fetch_issues(data={"issueIdsOrKeys": [key, "FAC-99"]})
        assert [one["key"] for one in several["issues"]] == [key]
        assert len(several["issueErrors"]) == 1

    await asyncio.to_thread(scenario)


async def test_the_newer_atlassian_client_reads_all_pages(
    tls_site: EmulatedJira, atlassian: Atlassian
) -> None:
    keys = [tls_site.open(f"case {index}").key for index in range(120)]

    def scenario() -> list[str]:
        _, client = atlassian()
        found = client.enhanced_jql_get_list_of_tickets("project = FAC ORDER BY key", ["summary"])
        return [issue["key"] for issue in found]

    assert await asyncio.to_thread(scenario) == keys


async def test_the_older_atlassian_client_speaks_version_2(
    tls_site: EmulatedJira, atlassian: Atlassian
) -> None:
    def scenario() -> None:
        client, _ = atlassian()
        fields = {
            "project": {"key": "FAC"},
            "issuetype": {"name": "Incident"},
            "summary": "by version 2",
            "description": "two\nlines",
        }
        key = client.issue_create(fields)["key"]
        assert client.issue(key)["fields"]["description"] == "two\nlines"
        client.issue_add_comment(key, "said")
        client.update_issue_field(key, {"customfield_10050": "agv/1"})
        client.set_issue_status(key, "In Progress")
        assert client.get_issue_status(key) == "In Progress"
        client.set_issue_status(key, "Resolved", fields={"resolution": {"name": "Done"}})
        assert client.issue(key)["fields"]["resolution"]["name"] == "Done"
        assert len(client.get_issue_changelog(key)["values"]) == 3
        assert [one["to"] for one in client.get_issue_transitions(key)] == ["In Progress", "Closed"]
        client.set_issue_property(key, "gateway", {"order": "o-1"})
        assert client.enhanced_jql(f"key = {key}", fields=["status"])["isLast"] is True

    await asyncio.to_thread(scenario)
    (issue,) = tls_site.store.issues.values()
    assert issue.values["customfield_10050"] == "agv/1"
