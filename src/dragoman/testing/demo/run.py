"""Plays the demo: starts the site, opens cases, follows them to their end, and judges.

Called by `dragoman demo`. Everything it started is ended before it returns, whatever happens.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from pydantic import SecretStr

from dragoman.domain.errors import Permanent
from dragoman.testing.demo import site
from dragoman.testing.demo.chaos import Chaos, Targets
from dragoman.testing.demo.children import Gateway, Robots
from dragoman.testing.demo.figures import Figures, figures
from dragoman.testing.demo.person import HELPED, Person
from dragoman.testing.demo.scene import Options, openings
from dragoman.testing.demo.screen import Screen
from dragoman.testing.demo.watch import Watch
from dragoman.testing.faults.accounts import journalled, tickets
from dragoman.testing.faults.verdict import Verdict, verdict
from dragoman.testing.robots.ledger import Outcome
from dragoman.testing.servicenow import Credentials
from dragoman.testing.servicenow.remote import RemoteDesk
from dragoman.transport.broker import EmbeddedBroker

LOOK_EVERY_S = 0.25
SETTLE_S = 1.5
"""Waited after the last case is over, in which no robot may begin one anew."""
GATEWAY = "dragoman"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """figures: what was counted. ran_out: what was unfinished when the time was over, "" if all
    was finished. config: of the site, which is there only if it was kept.
    """

    figures: Figures
    ran_out: str
    config: Path

    @property
    def ok(self) -> bool:
        """Every promise held, and in time."""
        return not self.figures.problems and not self.ran_out


@dataclass(frozen=True, slots=True, kw_only=True)
class _Site:
    folder: site.SiteFolder
    gateway: Gateway
    robots: Robots
    desk: RemoteDesk
    watch: Watch
    person: Person
    broker: EmbeddedBroker | None


async def play(options: Options, screen: Screen) -> Result:
    """Play it. Raises Permanent if a part of the site can't be started."""
    with contextlib.ExitStack() as stack:
        if options.keep is None:
            made = tempfile.TemporaryDirectory(prefix="dragoman-demo-", ignore_cleanup_errors=True)
            root = Path(stack.enter_context(made))
        else:
            root = options.keep
        try:
            root.mkdir(parents=True, exist_ok=True)
            folder = site.make(root)
        except FileExistsError as error:
            raise Permanent(
                "there is a site in this folder already",
                field="--keep",
                value=str(error),
                mend="name an empty folder",
            ) from error
        return await _play(options, screen, folder)


async def _play(options: Options, screen: Screen, folder: site.SiteFolder) -> Result:
    with folder.log("demo").open("a", encoding="utf-8") as log:
        structlog.configure(logger_factory=structlog.WriteLoggerFactory(log))  # not on the screen
        try:
            return await _played(options, screen, folder)
        finally:
            structlog.reset_defaults()


async def _played(options: Options, screen: Screen, folder: site.SiteFolder) -> Result:
    async with _started(options, screen, folder) as here:
        with screen:
            ran_out = await _worked(options, screen, here)
        code = await here.gateway.stop()
        await here.robots.stop()
        await here.watch.look()
        judged = _judged(here)
        counted = figures(here.watch.cases.values(), here.watch.acknowledged, judged)
        if code != 0:
            screen.say(f"The gateway ended with {code}; see {folder.log('gateway')}")
    notes = {}
    if options.chaos:
        notes["gateway killed, started"] = f"{here.gateway.kills}, {here.gateway.starts}"
        notes["a person was needed"] = f"{len(here.person.acted)} times"
    screen.summary(counted, notes)
    return Result(figures=counted, ran_out=ran_out, config=folder.config)


@asynccontextmanager
async def _started(
    options: Options, screen: Screen, folder: site.SiteFolder
) -> AsyncIterator[_Site]:
    """The whole site; its parts are ended in the order opposite to their start."""
    screen.say("Starting desk, broker, gateway and robots …")
    async with AsyncExitStack() as stack:
        login = Credentials(user_name=GATEWAY, password=folder.secret("desk-password"))
        desk = await RemoteDesk.start(
            fields=site.FIELDS,
            credentials=login,
            log=folder.log("desk"),
            report=folder.root / "desk.json",
        )
        stack.push_async_callback(desk.stop)
        site.write_config(folder, options, desk.url)
        broker = None
        if options.chaos:
            users = {site.BROKER_USER: SecretStr(folder.secret("broker-password"))}
            broker = EmbeddedBroker(folder.root / "broker", port=folder.broker_port, users=users)
            await broker.start()
            stack.push_async_callback(broker.stop)
        gateway = Gateway(folder)
        stack.push_async_callback(gateway.stop)
        await gateway.start()
        robots = Robots(folder, count=options.robots, seed=options.seed)
        stack.push_async_callback(robots.stop)
        await robots.start()
        if options.intake != "poll":
            hook = f"{folder.api}/hooks/{site.DESK}"
            secret = folder.secret("webhook-secret")
            await desk.subscribe(hook, secret=secret, skip_users=[GATEWAY], tables=["incident"])
        watch = Watch(desk, folder.robots_report, GATEWAY)
        await watch.look()
        screen.say(f"All up: the desk at {desk.url}, the gateway at {folder.api}")
        yield _Site(
            folder=folder,
            gateway=gateway,
            robots=robots,
            desk=desk,
            watch=watch,
            person=Person(folder, desk, watch),
            broker=broker,
        )


async def _worked(options: Options, screen: Screen, here: _Site) -> str:
    """Open the cases and follow them to their end; what was unfinished when time ran out."""
    tasks = [asyncio.create_task(_open(options, here.desk), name="desk users")]
    if here.broker is not None:
        targets = Targets(
            gateway=here.gateway,
            broker=here.broker,
            robots=here.robots,
            desk=here.desk,
            watch=here.watch,
            say=screen.say,
        )
        tasks.append(asyncio.create_task(Chaos(targets, options).run(), name="chaos"))
    helping = asyncio.create_task(here.person.run(), name="person") if options.chaos else None
    try:
        async with asyncio.timeout(options.timeout_s):
            await _followed(screen, here, tasks)
    except TimeoutError:
        await here.watch.look()
        return _unfinished(options, here.watch)
    finally:
        under_way = [*tasks, helping] if helping else tasks
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
    return ""


async def _open(options: Options, desk: RemoteDesk) -> None:
    for opening in openings(options):
        await asyncio.sleep(opening.wait_s)
        await desk.open_case(**opening.fields)


async def _followed(screen: Screen, here: _Site, tasks: list[asyncio.Task[None]]) -> None:
    """Until all was opened, disturbed and ended, and stays so for a while."""
    loop = asyncio.get_running_loop()
    quiet_since: float | None = None
    while True:
        await here.watch.look()
        events, here.watch.events = here.watch.events, []
        for event in events:
            screen.passing(event)
        screen.update(here.watch.count(), len(here.watch.busy()))
        for task in tasks:
            if task.done():
                task.result()
        over = all(task.done() for task in tasks) and _at_rest(here)
        quiet_since = (quiet_since or loop.time()) if over else None
        if quiet_since is not None and loop.time() - quiet_since >= SETTLE_S:
            return
        if not here.gateway.running and len(tasks) == 1:
            log = here.folder.log("gateway")
            raise Permanent("the gateway has ended by itself", mend=f"see {log}")
        await asyncio.sleep(LOOK_EVERY_S)


def _at_rest(here: _Site) -> bool:
    """All is over or, where nobody is there to help, waits for a person."""
    helped = here.broker is not None
    over = all(
        case.closed or (case.waiting and not (helped and case.status in HELPED))
        for case in here.watch.cases.values()
    )
    return over and not here.watch.busy()


def _unfinished(options: Options, watch: Watch) -> str:
    open_cases = [c for c in watch.cases.values() if not (c.closed or c.waiting)]
    told = [
        f"{case.number} ({case.status or 'not assigned'}"
        + (f", robots: {', '.join(sorted(map(str, case.outcomes())))})" if case.outcomes() else ")")
        for case in open_cases[:5]
    ]
    more = f" and {len(open_cases) - 5} more" if len(open_cases) > 5 else ""
    left = options.cases - len(watch.cases)
    parts = [f"{left} cases were not opened yet"] if left else []
    if open_cases:
        parts.append(f"{len(open_cases)} cases are still open: {', '.join(told)}{more}")
    if any(case.outcomes()[Outcome.RUNNING] for case in watch.cases.values()) and not parts:
        parts.append("robots are still at work")
    waiting = sum(case.waiting for case in watch.cases.values())
    if waiting:
        parts.append(f"{waiting} cases wait for a person")
    return "; ".join(parts) or "not all disturbances were over"


def _judged(here: _Site) -> Verdict:
    desk = tickets(here.watch.ledger, GATEWAY)
    return verdict(desk, here.watch.executions(), journalled(here.folder.journal))
