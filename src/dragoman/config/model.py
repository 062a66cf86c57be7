"""The models of the configuration file: every table and setting with its type and default.

Built by load.py and handed to bootstrap.py. What each setting means is explained for users in
docs/reference/config.md; a test fails on a setting that isn't. Settings that are domain values
(policy, weights, retries, actions) are built from the domain's own dataclasses. The keys of an
adapter's own are not here but in the settings model of the adapter's plugin.
"""

from datetime import datetime
from difflib import get_close_matches
from math import pi, radians, remainder, tau
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    InstanceOf,
    SkipValidation,
    model_validator,
)

from dragoman.config.fields import (
    DomainValue,
    Listen,
    Name,
    RelativePath,
    Scalar,
    Table,
    Text,
    ZoneName,
    refused,
    url_of,
)
from dragoman.config.jmes import checked
from dragoman.config.reconcile import ReconcileTable
from dragoman.config.secrets import Secret
from dragoman.domain.delivery import RetryPolicy
from dragoman.domain.mapping import FAULT, FAULT_CLEARED, Incoming, Outgoing
from dragoman.domain.mission import normal
from dragoman.domain.order import Place
from dragoman.domain.policy import ActionTemplate, Mission, Policy, Weights
from dragoman.domain.status import Told

Seconds = Annotated[float, Field(gt=0)]
Scope = Literal["read", "act"]

JOURNAL_FILE = "journal.sqlite"
"""The journal's name in the data folder."""


class SiteTable(Table):
    """`[site]`: the one place whose cases and robots this gateway owns."""

    name: Name = "site"
    data: RelativePath = Path("data")
    timezone: ZoneName = "UTC"
    locations_file: RelativePath | None = None


class TlsFiles(Table):
    """A server's own certificate (PEM)."""

    cert_file: RelativePath
    key_file: RelativePath


class TokenTable(Table):
    """`[[api.tokens]]`: one bearer token of the API. read: see; act: change and replay too."""

    name: Name
    token: Secret
    scopes: tuple[Scope, ...] = ("read", "act")


class ApiTable(Table):
    """`[api]`: the gateway's own HTTP service: REST API, webhooks."""

    listen: Listen = "127.0.0.1:8080"
    public_url: Annotated[str, url_of("http", "https")] | None = None
    tls: TlsFiles | None = None
    tokens: tuple[TokenTable, ...] = ()


class BrokerTls(Table):
    """TLS towards a broker; see transport/tls.py."""

    ca_file: RelativePath | None = None
    cert_file: RelativePath | None = None
    key_file: RelativePath | None = None


class BrokerTable(Table):
    """`[broker]`: the MQTT broker that robots and feeds use. No url: one is embedded."""

    url: Annotated[str, url_of("mqtt", "mqtts")] | None = None
    listen: Listen = "127.0.0.1:1883"
    username: Text | None = None
    password: Secret | None = None
    tls: BrokerTls = BrokerTls()
    protocol: Literal["3.1.1", "5"] = "3.1.1"

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.password is not None and self.username is None:
            raise refused("a password needs a user name", "add username")
        if self.url is None and self.listen.rpartition(":")[0] not in ("127.0.0.1", "localhost"):
            raise refused(
                "the embedded broker serves this machine only",
                "write 127.0.0.1:PORT, or name your own broker by url",
            )
        if self.url is None and self.protocol == "5":
            raise refused("the embedded broker speaks MQTT 3.1.1 only", 'write protocol = "3.1.1"')
        if self.tls != BrokerTls() and not (self.url or "").startswith("mqtts:"):
            raise refused("tls is set for a broker without TLS", 'write url = "mqtts://…"')
        return self


class PollTable(Table):
    """`[desks.NAME.poll]`: how often the desk is asked for changes."""

    enabled: bool = True
    min_s: Seconds = 0.5
    max_s: Seconds = 5.0
    requests_per_minute: Annotated[int, Field(ge=1)] = 120

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if self.min_s > self.max_s:
            raise refused("min_s is above max_s", f"use at most {self.max_s} for min_s")
        return self


class WebhookTable(Table):
    """`[desks.NAME.webhook]`: how the desk signs what it sends. Several secrets: a rotation."""

    scheme: Literal["standard", "hmac-sha256"] = "standard"
    secrets: Annotated[tuple[Secret, ...], Field(min_length=1)]
    header: Text = "X-Signature"
    tolerance_s: Seconds = 300.0


Expression = Annotated[Text, AfterValidator(checked)]


class ReadRule(Table):
    """How one value of a case is read: a JMESPath or a constant, then a value map."""

    path: Expression | None = None
    const: Scalar | None = None
    map: dict[str, Scalar] | None = None
    default: Scalar | None = None
    required: bool | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.path is None) == (self.const is None):
            raise refused("a rule reads one thing", "give either path or const")
        return self


def _short(key: str) -> BeforeValidator:
    """Takes a bare text or number for a table with that one key."""
    return BeforeValidator(lambda value: value if isinstance(value, dict) else {key: value})


Rule = Annotated[ReadRule, _short("path")]


class ReadTable(Table):
    """`[desks.NAME.read]`: where the values of a case stand in the desk's record."""

    when: Expression | None = None
    zone: ZoneName = "UTC"
    time_format: Text | None = None
    number: Rule | None = None
    kind: Rule | None = None
    title: Rule | None = None
    priority: Rule | None = None
    location: Rule | None = None
    opened_at: Rule | None = None
    phase: Rule | None = None
    due_by: Rule | None = None
    fields: dict[str, Rule] = Field(default_factory=dict)


class WriteRule(Table):
    """A template, and the value map in which its result is looked up."""

    value: Scalar
    map: dict[str, Scalar] | None = None
    default: Scalar | None = None


class WriteTable(Table):
    """`[desks.NAME.write.STATUS]`: what the desk is told at one status."""

    comment: str = ""
    note: str = ""
    fields: dict[str, Annotated[WriteRule, _short("value")]] = Field(default_factory=dict)
    expect: dict[str, tuple[Scalar, ...]] = Field(default_factory=dict)


def _status(name: str) -> str:
    known = [*Told, FAULT, FAULT_CLEARED]
    if name not in known:
        near = get_close_matches(name, known, n=1)
        mend = f"did you mean {near[0]}?" if near else f"write one of {', '.join(known)}"
        raise refused(f"there is no status {name}", mend)
    return name


Written = Annotated[str, AfterValidator(_status)]
Retry = Annotated[RetryPolicy, DomainValue(number=0.001, count=0)]


class DeskTable(Table):
    """`[desks.NAME]`: one desk, and one table or queue of it.

    Set by load.py, not in the file: options, the adapter's own settings as an instance of its
    plugin's model; incoming and outgoing, the compiled mappings.
    """

    type: Text
    unknown_kind: Literal["hold", "reject"] = "hold"
    reopened: Literal["new_case", "park", "ignore"] = "new_case"
    backlog: Literal["on_change", "ignore"] = "on_change"
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    poll: PollTable = PollTable()
    webhook: WebhookTable | None = None
    retry: Retry = RetryPolicy()
    mapping: Text = "default"
    read: ReadTable = ReadTable()
    write: dict[Written, WriteTable] = Field(default_factory=dict)
    options: SkipValidation[Any] = None
    incoming: InstanceOf[Incoming] = Incoming()
    outgoing: InstanceOf[Outgoing] = Outgoing()

    @model_validator(mode="after")
    def _has_intake(self) -> Self:
        if not self.poll.enabled and self.webhook is None:
            raise refused(
                "no case can come in: polling is off", "add a webhook table or enable poll"
            )
        if not self.poll.enabled and self.backlog == "ignore":
            raise refused(
                'backlog = "ignore" needs the first look of polling, which is off', "enable poll"
            )
        return self


class FleetTable(Table):
    """`[fleets.NAME]`: robots that speak one dialect. options: as in DeskTable."""

    type: Text
    options: SkipValidation[Any] = None


class FeedTable(Table):
    """`[feeds.NAME]`: where every status is published. options: as in DeskTable."""

    type: Text
    retry: Retry = RetryPolicy()
    options: SkipValidation[Any] = None


class MissionTable(Table):
    """`[missions.KIND]`: what a kind of case asks of a robot."""

    actions: Annotated[
        tuple[Annotated[ActionTemplate, DomainValue(number=0, count=0)], ...], Field(min_length=1)
    ]
    needs: frozenset[Text] = frozenset()
    expected_s: Seconds = 120.0
    repeatable: bool = False


def _radians(theta: float) -> float:
    if abs(theta) > pi:
        turned = remainder(radians(theta), tau)
        mend = f"{theta:g} degrees are {turned:.4f}"
        raise refused("theta is in radians, from -3.1416 to 3.1416", mend)
    return theta


class LocationTable(Table):
    """`[locations."NAME"]`: a place in metres and radians, by the name that the desk uses."""

    node: Text
    x: float
    y: float
    map: Text
    theta: Annotated[float, AfterValidator(_radians)] | None = None


class FaultsTable(Table):
    """`[faults]`: robots' own faults that open a case. No desk: they open none."""

    desk: Name | None = None
    levels: tuple[Literal["WARNING", "FATAL"], ...] = ("FATAL",)
    ignore: tuple[Text, ...] = ()
    open_after: Annotated[float, Field(ge=0)] = 10.0
    settle_after: Annotated[float, Field(ge=0)] = 60.0


class RetentionTable(Table):
    """`[retention]`: when closed cases move from the journal to archive files."""

    closed_days: Annotated[int, Field(ge=1, le=36_500)] = 90
    archive: RelativePath | None = None


class LogTable(Table):
    """`[log]`: JSON lines to stderr, or to a file."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    file: RelativePath | None = None


class Config(Table):
    """The whole file."""

    site: SiteTable = SiteTable()
    api: ApiTable = ApiTable()
    broker: BrokerTable = BrokerTable()
    desks: dict[Name, DeskTable] = Field(default_factory=dict)
    fleets: dict[Name, FleetTable] = Field(default_factory=dict)
    feeds: dict[Name, FeedTable] = Field(default_factory=dict)
    missions: dict[Text, MissionTable] = Field(default_factory=dict)
    locations: dict[Text, LocationTable] = Field(default_factory=dict)
    policy: Annotated[Policy, DomainValue(number=0.001, count=1)] = Policy()
    weights: Annotated[Weights, DomainValue(number=0, count=0)] = Weights()
    faults: FaultsTable = FaultsTable()
    reconcile: ReconcileTable = ReconcileTable()
    retention: RetentionTable = RetentionTable()
    log: LogTable = LogTable()

    def archive_file(self, now: datetime) -> Path:
        """A new archive file, for what retention moves in a run that begins now."""
        folder = self.retention.archive or self.site.data / "archive"
        return folder / f"{self.site.name}-{now:%Y%m%dT%H%M%SZ}.jsonl.gz"

    @property
    def journal_file(self) -> Path:
        """The journal: all the state there is."""
        return self.site.data / JOURNAL_FILE

    @property
    def url_file(self) -> Path:
        """Where the running gateway leaves its address for the commands, as port 0 takes any."""
        return self.site.data / "api.url"

    @property
    def token_file(self) -> Path:
        """Where the generated token of the API is, if `[[api.tokens]]` has none."""
        return self.site.data / "api-token"

    def missions_by_kind(self) -> dict[str, Mission]:
        """The missions as the domain knows them."""
        return {
            kind: Mission(
                kind=kind,
                actions=table.actions,
                needs=table.needs,
                expected_s=table.expected_s,
                repeatable=table.repeatable,
            )
            for kind, table in self.missions.items()
        }

    def places(self) -> dict[str, Place]:
        """The locations, those of `site.locations_file` included, by normal name."""
        return {
            normal(name): Place(node_id=at.node, x=at.x, y=at.y, map_id=at.map, theta=at.theta)
            for name, at in self.locations.items()
        }
