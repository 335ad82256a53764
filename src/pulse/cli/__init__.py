"""The command line: what a person types, and what it says back.

One module a command, with a function `command` that typer reads the options from. What such a
function prints on stdout is its result; what went wrong is raised as a `PulseError`, and `main`
says it in one line. Nothing below `cli` prints or exits.
"""

import contextlib
import os
import sys
from importlib.util import find_spec
from typing import Annotated, NoReturn

import typer

import pulse
from pulse.cli.lazy import CONTEXT, Entry, LazyGroup
from pulse.errors import PulseError

_TRY, _LINE, _RUN, _LOOK = "Try it out", "Lay the line", "Run it", "Look at accounts"
_SAY = "Say something of alerts and accounts"

_COMMANDS = {
    name: Entry(f"pulse.cli.{name.replace('-', '_')}", summary, panel)
    for name, summary, panel in (
        ("demo", "Everything at once on this machine, with a real history played fast.", _TRY),
        ("check", "Find every mistake in a configuration file.", _TRY),
        ("simulate", "Make up a product's history, of which is known who left and why.", _TRY),
        ("replay", "Run files of usage events through the engine, without Kafka.", _TRY),
        ("calibrate", "Lay the danger line by who really left.", _LINE),
        ("backtest", "Compare what two configurations would have raised over a history.", _LINE),
        ("topics", "Create the Kafka topics, or say what would change.", _RUN),
        ("emit", "Play files of usage events into Kafka.", _RUN),
        ("collect", "Run the collector: events in over HTTP.", _RUN),
        ("keys", "Make, list or revoke the write keys of product apps.", _RUN),
        ("work", "Run the worker: usage events in, alerts out.", _RUN),
        ("activate", "Put a configuration in force from here on.", _RUN),
        ("notify", "Run the notifier: alerts in, webhooks out.", _RUN),
        ("web", "Run the API, and the account page that a message's links open.", _RUN),
        ("users", "Add, list, change or remove the people who sign in with a password.", _RUN),
        ("tokens", "Make, list or revoke the tokens of the API and the page.", _RUN),
        (
            "silence",
            "Hold the alerts that match for a while; list such silences, or end one.",
            _SAY,
        ),
        ("snooze", "Hold one alert for a while.", _SAY),
        ("ack", "Take an alert over: nobody is told of it again, but that it ends.", _SAY),
        (
            "feedback",
            "Say what became of an alert, or report how often each reason was right.",
            _SAY,
        ),
        ("note", "Write a note on an account; list those that there are, or erase one.", _SAY),
        ("try-route", "Say who would get an alert, and when.", _RUN),
        ("deliveries", "List what became of notifications, show one, or send some again.", _RUN),
        ("send-test", "Send a sample alert to a receiver, and say what it answered.", _RUN),
        (
            "repartition",
            "Rewrite the workers' state for another number of partitions, while nothing runs.",
            _RUN,
        ),
        (
            "history",
            "Back up the history: a copy of its file, while `pulse web` writes it.",
            _RUN,
        ),
        ("doctor", "Say what of a running pulse is in order, and what to do about the rest.", _RUN),
        ("source", "Say that a source of events has stopped, or that it runs again.", _RUN),
        ("forget", "Erase an account or a user, and say where what is left when.", _RUN),
        (
            "rename",
            "Let an account go on under another id; where that is known, both become one.",
            _RUN,
        ),
        ("accounts", "List accounts, worst first.", _LOOK),
        ("account", "Explain one account's score.", _LOOK),
        ("alerts", "List alerts, or show why one was sent or not.", _LOOK),
        ("audit", "List who changed what: on the pages, by the API, and with commands.", _LOOK),
        ("export", "Write every account as the workers' state in Kafka has it.", _LOOK),
    )
    if find_spec(f"pulse.cli.{name.replace('-', '_')}")
}


class _Pulse(LazyGroup):
    entries = _COMMANDS


app = typer.Typer(
    name="pulse",
    cls=_Pulse,
    no_args_is_help=True,
    add_completion=False,
    # A traceback is a bug report: whole, plain, and without the values of variables.
    pretty_exceptions_enable=False,
    context_settings=CONTEXT,
    rich_markup_mode="markdown",
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"pulse {pulse.__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Watch product usage and tell who is about to leave, and why."""


def main() -> NoReturn:
    """Run the command line (the console script `pulse`) and exit.

    Exit codes: 0 done, 1 a `PulseError` (one clear line on stderr), 2 wrong arguments,
    130 interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character gets an escape instead of a traceback.
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a stream of text here
    try:
        code = _run()
        sys.stdout.flush()
    except BrokenPipeError:
        # Who read our output went away (`pulse accounts | head`), which is nobody's error.
        # Python flushes once more at exit and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code)


def _run() -> int:
    try:
        app()
    except PulseError as error:
        sys.stdout.flush()
        print(error.for_terminal(), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except SystemExit as end:
        if isinstance(end.code, int):
            return end.code
        return 0 if end.code is None else 1
    return 0
