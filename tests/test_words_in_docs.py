"""What the documents say of codes, requests, messages, limits and commands is what the program does."""

from __future__ import annotations

import ast
import re
from typing import Any, get_type_hints

import msgspec
import pytest

from sync import wire
from tests.test_house import ROOT, project_file, sources, tracked
from tests.test_refusals import _commands, _walk


def protocol() -> str:
    """Return the page about the sync protocol."""
    return project_file("docs/sync-protocol.md")


def test_every_code_of_the_central_store_stands_in_the_protocol_and_no_other() -> None:
    written = set(re.findall(r"^\| `([a-z_]+)` \| (?:whole|one)", protocol(), re.MULTILINE))
    refused = {
        node.args[0].value
        for name, text in sources().items()
        if name.startswith("sync/hub/")
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Refusal" and node.args and isinstance(node.args[0], ast.Constant)
    }

    assert written == refused


def test_every_request_stands_in_the_protocol_and_no_other() -> None:
    pytest.importorskip("fastapi")
    from sync.hub import live_routes
    from sync.hub.app import routes

    every = [*routes.routes, *live_routes.routes.routes]
    written = set(re.findall(r"^\| `(GET|POST) (/v1/[^`?]*)", protocol(), re.MULTILINE))
    served = {(method, route.path) for route in every for method in getattr(route, "methods", ())}  # type: ignore[attr-defined]

    assert written == served


def test_messages_have_as_many_elements_as_the_protocol_gives_them() -> None:
    written = dict(re.findall(r"^\| `([A-Z]\w+)` \| `(\[.*?\])`", protocol(), re.MULTILINE))
    declared = (kind for kind in vars(wire).values() if isinstance(kind, type) and issubclass(kind, msgspec.Struct))
    kinds: dict[str, Any] = {kind.__name__: kind for kind in declared if kind.__module__ == "sync.wire"}

    assert {name: _elements(shape) for name, shape in written.items()} == {
        name: len(get_type_hints(kind)) for name, kind in kinds.items() if name != "BookNews"
    }


def _elements(shape: str) -> int:
    """Count the elements of the outermost array."""
    depth, count = 0, 1
    for character in shape:
        depth += {"[": 1, "]": -1}.get(character, 0)
        count += depth == 1 and character == ","
    return count


@pytest.mark.parametrize(
    "said",
    [
        f"| changes in a push | {wire.MOST_IN_BATCH} |",
        f"| statements in a control request | {wire.MOST_STATEMENTS} |",
        f"| padded body of a change | {wire.LARGEST_BODY // 1024} KiB |",
        f"| body of a request | {wire.LARGEST_BATCH // 1024**2} MiB; 64 KiB for founding, joining, inviting |",
        f"`limit` from 1 to {wire.LARGEST_PAGE}",
        f"`{wire.MEDIA_TYPE}`",
        f"| an invite | {wire.INVITE_LIFE_MS // 3_600_000} hours, one use |",
    ],
)
def test_limits_are_those_that_the_program_keeps(said: str) -> None:
    assert said in protocol()


def test_every_signing_domain_stands_in_the_sealed_format() -> None:
    written = project_file("docs/sealed-format.md") + protocol()
    named = {
        value for name, text in sources().items() for value in re.findall(r'b"(lw/[\w-]+/v1)', text) if not name.startswith("sync/hub/")
    }

    assert {name for name in named if name not in written} <= {"lw/crash/v1"}, "the page must name every purpose of a key"


def test_every_decision_that_is_pointed_to_exists() -> None:
    kept = {path.name[:4] for path in (ROOT / "docs" / "decisions").glob("*.md")}
    pointed = {number for name in tracked() if name.endswith((".py", ".md", ".toml")) for number in _decisions(name)}

    assert pointed - kept == set()


def _decisions(name: str) -> list[str]:
    return re.findall(r"decisions/(\d{4})", (ROOT / name).read_text("utf-8"))


def test_every_command_that_a_document_shows_exists() -> None:
    commands = _commands()
    if not commands:
        pytest.skip("the plain path has no commands yet")
    known = {path.removeprefix("leadworker").strip() for command in commands for path, _ in _walk(command, "leadworker")}
    shown = {(name, command) for name in tracked() if name.endswith(".md") for command in _commands_in(name)}
    missing = sorted(f"{name}: leadworker {command}" for name, command in shown if command not in known)

    assert missing == []


def _commands_in(name: str) -> list[str]:
    """Return what follows `leadworker` where a document shows it as something to type."""
    text = (ROOT / name).read_text("utf-8")
    typed = "\n".join(re.findall(r"^```[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)) + "\n"
    typed += "\n".join(re.findall(r"`(leadworker [^`]+)`", text))
    return re.findall(r"^leadworker ((?:(?:hub(?: recovery)?|escrow|keys|laptop) )?[a-z]+(?:-[a-z]+)*)", typed, re.MULTILINE)
