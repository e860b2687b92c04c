"""How a function becomes a command: every one takes ``--vault`` and ``--passphrase-file``, and ``--json`` where it prints data."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from leadworker import places
from leadworker.plain import secret
from leadworker.plain.place import Place


class Given(msgspec.Struct, frozen=True):
    """What was given before the command's name; what stands after it counts more."""

    vault: str = ""
    passphrase_file: str = ""
    as_json: bool = False


def flag(name: str, words: str) -> Any:
    """Declare an option that is there or not."""
    return typer.Option(name, help=words)


def option(name: str, metavar: str, words: str) -> Any:
    """Declare an option with a value."""
    return typer.Option(name, metavar=metavar, help=words)


def argument(metavar: str, words: str) -> Any:
    """Declare an argument."""
    return typer.Argument(metavar=metavar, help=words)


def group(parent: typer.Typer, name: str, words: str) -> typer.Typer:
    """Make a group of commands under a name."""
    made = typer.Typer(rich_markup_mode=None, help=words, add_completion=False)
    parent.add_typer(made, name=name)
    return made


def command(
    app: typer.Typer, name: str = "", *, data: bool = True, vault: bool = True
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function whose first argument is a `Place` as a command; its docstring is the help.

    Without `name` it is what a group does when no command of it is named. `data`: it prints data, so it takes ``--json``.
    `vault`: it may open a vault.
    """

    def register(work: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(work, eval_str=True)

        @functools.wraps(work)
        def run(*, context: typer.Context, **options: Any) -> None:
            given = context.obj if isinstance(context.obj, Given) else Given()
            given = Given(
                options.pop("vault", "") or given.vault,
                options.pop("passphrase_file", "") or given.passphrase_file,
                options.pop("as_json", False) or given.as_json,
            )
            if context.invoked_subcommand is not None:  # a group on its way to one of its commands
                context.obj = given
                return
            work(_place(given, context.command_path), **options)

        parameters = [inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)]
        parameters += [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in list(signature.parameters.values())[1:]]
        parameters += _shared(data, vault)
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        words = inspect.getdoc(work)
        if name:
            app.command(name, help=words)(run)
        else:
            app.callback(invoke_without_command=True, help=words)(run)
        return work

    return register


VaultOption = Annotated[str, option("--vault", "DIR", "The vault's folder, if not the usual one.")]
FileOption = Annotated[str, option("--passphrase-file", "FILE", "A file with the passphrase in its first line.")]
JsonOption = Annotated[bool, flag("--json", "Print one JSON document instead of sentences.")]


def _shared(data: bool, vault: bool) -> list[inspect.Parameter]:
    options: list[tuple[str, Any, object]] = [("as_json", JsonOption, False)] if data else []
    if vault:
        options += [("vault", VaultOption, ""), ("passphrase_file", FileOption, "")]
    return [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=of, annotation=kind) for name, kind, of in options]


def _place(given: Given, path: str) -> Place:
    folder: Path = places.vault_folder(given.vault)
    file = secret.passphrase_file(given.passphrase_file)
    return Place(folder, file, as_json=given.as_json, purpose=path)
