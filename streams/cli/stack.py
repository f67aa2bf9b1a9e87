"""``renkou up`` and ``renkou down``: the hub of one machine in the background."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from rich.console import Console
from rich.status import Status

from connectors.debezium import Capture
from connectors.errors import StackError
from connectors.feeds import Catalog
from connectors.stack import Event, LocalStack, ProcessSpec, State, owner
from streams import handover, hub, settings
from streams.cli.errors import reported
from streams.cli.options import Departments, Files

PROGRESS_FILE: Final = "progress.jsonl"
"""In ``DIR/run``: what the background process tells the command that waits for it."""

LOOK_SECONDS: Final = 0.1

STOP_SECONDS: Final = 180.0
"""More than all processes' time to stop together; PostgreSQL alone may take a minute for its last checkpoint.
"""

SIMULATE: Final = "simulate"


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What ``renkou up`` hands to its background process."""

    capture: str
    simulate: bool
    people: int
    rate: float
    seed: int
    departments: tuple[str, ...]
    files: bool


class Progress(msgspec.Struct, frozen=True):
    """A line of the progress file. ``kind`` is say, ready or failed."""

    kind: str
    text: str


def register(app: typer.Typer) -> None:
    """Add the commands."""

    @app.command()
    def up(
        data: Annotated[
            Path | None, typer.Option(help="Folder of the hub; default $RENKOU_DATA, else ./.renkou.")
        ] = None,
        simulate: Annotated[
            bool, typer.Option(help="Fill the sources with invented people and change them.")
        ] = True,
        people: Annotated[
            int, typer.Option(min=1, help="Persons with a hukou in the invented register.")
        ] = 2000,
        rate: Annotated[float, typer.Option(min=0, help="Row changes a second in the sources.")] = 50,
        seed: Annotated[int, typer.Option(help="Another seed gives another population.")] = 1,
        capture: Annotated[
            Capture, typer.Option(help="How Debezium writes changes into Kafka.")
        ] = Capture.JSON,
        departments: Departments = ",".join(hub.DEPARTMENTS),
        files: Files = None,
        foreground: Annotated[
            bool, typer.Option(help="Stay in the foreground; a service manager wants that.")
        ] = False,
    ) -> None:
        """Start the whole hub on this machine in the background, and return when it is ready."""
        with reported():
            played = hub.departments_of(departments)
            options = Options(
                capture=capture.value,
                simulate=simulate,
                people=people,
                rate=rate,
                seed=seed,
                departments=played,
                files=hub.plays_files(played, files),
            )
            folder = settings.load(data).data.absolute()
            if owner(folder) is not None:
                typer.echo(
                    f"a hub is already running on {folder}; see renkou status, stop it with renkou down"
                )
                return
            if foreground:
                serve(folder, options)
            else:
                _start(folder, options)

    @app.command()
    def down(
        data: Annotated[
            Path | None, typer.Option(help="Folder of the hub; default $RENKOU_DATA, else ./.renkou.")
        ] = None,
    ) -> None:
        """Stop the hub that runs on the folder, in order, and return when it has ended."""
        with reported():
            stop(settings.load(data).data.absolute())


def serve(folder: Path, options: Options) -> None:
    """Run the hub until a signal ends it. Raises what kept it from starting, with everything stopped."""
    (folder / "run").mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "run" / PROGRESS_FILE).open("ab", buffering=0) as file:

        def tell(kind: str, text: str) -> None:
            file.write(msgspec.json.encode(Progress(kind, text)) + b"\n")

        try:
            _run(folder, options, tell)
        except Exception as error:
            tell("failed", str(error))
            raise


def _run(folder: Path, options: Options, tell: Callable[[str, str], None]) -> None:
    def on_event(event: Event) -> None:
        if event.state is not State.WAITING:
            tell("say", f"{event.name} {event.state.value} {event.detail}".rstrip())

    configured = settings.load(folder)
    catalog = Catalog.load(configured.feeds)
    can_push = bool(configured.push_tokens)
    with LocalStack(folder, on_event) as stack:
        stack.start()
        for reason in hub.missing_departments(catalog, options.departments):
            tell("note", reason)
        if not can_push:
            tell("note", "without a push channel: RENKOU_PUSH_TOKENS is not set (docs/push.md)")
        # The hub's processes load meanwhile; they wait for their topics by themselves.
        started = stack.begin(hub.hub_specs(folder, stack.ports, push=can_push))
        hub.prepare(
            stack,
            catalog,
            Capture(options.capture),
            lambda text: tell("say", text),
            options.departments,
        )
        stack.wait_ready(started)
        stack.publish()
        if options.simulate:
            stack.add([_simulator(folder, options)])
            stack.publish()
            if options.files:
                handover.hand_over(
                    configured,
                    stack.endpoints().kafka,
                    catalog,
                    handover.delivered_feeds(catalog, options.departments),
                    handover.write_inbox(folder, options.seed, options.people),
                    lambda text: tell("say", text),
                )
        tell("ready", "")
        stack.run_until_signal()


def _simulator(folder: Path, options: Options) -> ProcessSpec:
    """Return the process that fills the sources, at its first start, and keeps changing them."""
    command = (sys.executable, "-m", "streams.cli", "simulate", "--data", str(folder))
    figures = ("--people", str(options.people), "--rate", str(options.rate), "--seed", str(options.seed))
    return ProcessSpec(
        name=SIMULATE, argv=(*command, *figures), health=lambda: True, depends_on=("postgresql",)
    )


def _start(folder: Path, options: Options) -> None:
    """Start the background process and show its progress until it is ready."""
    (folder / "run").mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / "logs").mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.getuid() == 0:
        folder.chmod(0o711)  # PostgreSQL's account passes through
    progress = folder / "run" / PROGRESS_FILE
    progress.write_bytes(b"")
    log = folder / "logs" / "up.log"
    command = [sys.executable, "-m", "streams.cli", "up", "--foreground", "--data", str(folder)]
    command += ["--capture", options.capture, "--simulate" if options.simulate else "--no-simulate"]
    command += ["--departments", ",".join(options.departments), "--files" if options.files else "--no-files"]
    command += ["--people", str(options.people), "--rate", str(options.rate), "--seed", str(options.seed)]
    began = time.monotonic()
    with log.open("wb") as output:
        # A session of its own: it outlives this terminal.
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    console = Console()
    with console.status("starting") as status:
        try:
            _follow(progress, child, status, log)
        except KeyboardInterrupt:
            status.update("stopping")
            child.send_signal(signal.SIGINT)
            child.wait()
            raise
    console.print(f"the hub runs on {folder} (ready after {time.monotonic() - began:.0f} s)", soft_wrap=True)
    console.print(
        "next: renkou status · renkou sql 'SELECT count() FROM persons' · renkou down", highlight=False
    )


def _follow(progress: Path, child: subprocess.Popen[bytes], status: Status, log: Path) -> None:
    """Return when the background process says that it is ready. Raises StackError when it says otherwise, or
    ends."""
    with progress.open("rb") as file:
        rest = b""
        while True:
            ended = child.poll() is not None
            rest += file.read()
            *lines, rest = rest.split(b"\n")
            for line in lines:
                one = msgspec.json.decode(line, type=Progress)
                if one.kind == "ready":
                    return
                if one.kind == "failed":
                    child.wait()
                    raise StackError(f"{one.text} (more in {log.parent})")
                if one.kind == "note":
                    status.console.print(one.text, highlight=False, soft_wrap=True)
                else:
                    status.update(one.text)
            if ended:
                raise StackError(f"the hub ended while it started, exit code {child.returncode}; see {log}")
            time.sleep(LOOK_SECONDS)


def stop(folder: Path) -> None:
    """Stop the hub on ``folder`` and wait for its end. Raises StackError when it does not end in time."""
    running = owner(folder)
    if running is None:
        typer.echo(f"no hub runs on {folder}")
        return
    with Console().status(f"stopping the hub on {folder}"):
        os.kill(running.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while owner(folder) is not None or running.alive():
            if time.monotonic() > deadline:
                raise StackError(
                    f"process {running.pid} does not end; see {folder / 'logs'} and kill it if need be"
                )
            time.sleep(LOOK_SECONDS)
    typer.echo(f"stopped the hub on {folder}")
