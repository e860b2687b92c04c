"""The plain path put together: every command, and what becomes of an error on the way out."""

from __future__ import annotations

import importlib
import io
from collections.abc import Sequence
from typing import Annotated

import typer

from leadworker import __version__
from leadworker.errors import LeadworkerError
from leadworker.plain import (
    apart,
    attachments,
    bringing_in,
    diary,
    doctor,
    escrow,
    giving_out,
    keeping,
    late,
    notes,
    organisation,
    output,
    persons,
    place,
    post,
    readers,
    roots,
    sealed_copies,
    stick,
    store,
)
from leadworker.plain.command import Given, flag, option
from screens import crash

INTERRUPTED = 130

app = typer.Typer(
    name="leadworker",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,  # its tracebacks print local variables
    help="leadworker: an offline-first, encrypted journal for key workers. Without a command it opens the screens.",
    epilog="“leadworker COMMAND --help” says more. What is printed can hold people's records: mind who reads along.",
)
_USAGE: type[Exception] = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")


@app.callback(invoke_without_command=True)
def choose(
    context: typer.Context,
    vault: Annotated[str, option("--vault", "DIR", "The vault's folder, if not the usual one.")] = "",
    passphrase_file: Annotated[str, option("--passphrase-file", "FILE", "A file with the passphrase in its first line.")] = "",
    theme: Annotated[str, option("--theme", "THEME", "For the screens: dusk, paper, contrast or wall.")] = "",
    ascii_only: Annotated[bool, flag("--ascii", "For the screens: draw with plain letters only.")] = False,
    version: Annotated[bool, flag("--version", "Say which version this is.")] = False,
) -> None:
    """Take what counts for every command. Without a command `leadworker.__main__` has opened the screens before."""
    context.obj = Given(vault, passphrase_file)
    if version:
        output.say(f"leadworker {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        raise typer.BadParameter("Name a command. The screens open with --vault, --theme and --ascii alone; they ask for the passphrase.")


@app.command("demo", help="Look round in an invented caseload. It has a central store of its own and two colleagues.")
def demo() -> None:
    """Start the demo."""
    raise typer.Exit(importlib.import_module("leadworker.demo").run() or 0)


_TOPICS = (
    keeping, doctor, apart, diary, persons, notes, attachments, bringing_in, readers, late, post, stick, organisation, giving_out,
    sealed_copies, escrow, roots, store,
)  # fmt: skip

for topic in _TOPICS:
    topic.register(app)


def run(arguments: Sequence[str]) -> int:
    """Run one command; return the exit code: 0, 1 for what a person can mend, 2 for wrong usage, 130 for Ctrl+C."""
    as_json = "--json" in (arguments[: arguments.index("--")] if "--" in arguments else arguments)
    try:
        return _invoke(list(arguments), as_json)
    except LeadworkerError as error:
        output.tell_trouble(error.code, error.sentence, as_json=as_json)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except place.Stopped as stopped:
        return _stop(stopped.reference, as_json)
    except Exception:  # noqa: BLE001 - a traceback could show somebody's record; with no vault open there is nowhere to keep it
        return _stop(crash.reference(), as_json)
    finally:
        output.finish()


def _invoke(arguments: list[str], as_json: bool) -> int:
    try:
        code = typer.main.get_command(app).main(arguments, prog_name="leadworker", standalone_mode=False)
    except typer.Abort as abort:
        if isinstance(abort.__cause__ or abort.__context__, KeyboardInterrupt):
            return INTERRUPTED
        output.tell_trouble("nothing_typed", "There was no answer. Nothing was done.", as_json=as_json)
        return 1
    except _USAGE as error:
        return _wrong_usage(error, as_json)
    return code if isinstance(code, int) else 0


def _wrong_usage(error: Exception, as_json: bool) -> int:
    """Say what is wrong with a command, in the parser's words; what was typed is in them, so they are cleaned."""
    if as_json:
        output.tell_trouble("usage", str(getattr(error, "message", error)), as_json=True)
    else:
        words = io.StringIO()
        error.show(file=words)  # type: ignore[attr-defined]
        output.warn(words.getvalue().rstrip("\n"))
    return int(getattr(error, "exit_code", 2))


def _stop(reference: str, as_json: bool) -> int:
    sentence = f"Leadworker has to stop. What was saved before is safe. Reference {reference}."
    output.tell_trouble("stopped", sentence, as_json=as_json)
    return 1
