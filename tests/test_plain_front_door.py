"""The command as a program of its own: what it loads, what it does with pipes and terminals, and where the screens begin."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from leadworker import __main__, __version__
from leadworker.__main__ import Screens, screens_asked
from tests.plain_world import PASSPHRASE, Plain, empty, plain, template

__all__ = ["empty", "plain", "template"]

PATIENCE_S = 20


def program(plain: Plain, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    """Start the real program on a vault."""
    command = [sys.executable, "-m", "leadworker", *arguments]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, **{**pipes, "start_new_session": True, **options})


def answer(plain: Plain, *arguments: str, typed: bytes = b"", **options: Any) -> tuple[int, str, str]:
    """Run the real program to its end; return its exit code and what it printed."""
    started = program(plain, *arguments, **{"stdin": subprocess.PIPE, **options})
    out, err = started.communicate(typed, timeout=PATIENCE_S)
    return started.returncode, out.decode(), err.decode()


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        ([], Screens()),
        (["--vault", "folder"], Screens("folder")),
        (["--vault=folder", "--theme", "wall", "--ascii"], Screens("folder", "wall", True)),
        (["--theme=paper"], Screens("", "paper")),
        (["today"], None),
        (["--vault", "folder", "today"], None),
        (["--vault"], None),
        (["--help"], None),
        (["--ascii=1"], None),
        (["--passphrase-file", "file"], None),
    ],
)
def test_the_screens_are_asked_for_with_their_own_options_alone(arguments: list[str], asked: Screens | None) -> None:
    assert screens_asked(arguments) == asked


def test_the_way_to_the_screens_loads_no_parser_and_no_plain_path() -> None:
    lines = "import sys; from leadworker import __main__ as m; m.screens_asked([]); print([n for n in sys.modules if n.split('.')[0] in ('typer', 'sqlalchemy', 'httpx') or n.startswith('leadworker.plain')])"
    run = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True)

    assert run.stdout == "[]\n"


def test_the_themes_are_those_of_the_screens() -> None:
    from screens.themes import TOKENS

    assert set(__main__.THEMES) == set(TOKENS)


def test_without_a_terminal_the_screens_say_what_else_there_is(plain: Plain) -> None:
    code, out, err = answer(plain)

    assert (code, out) == (1, "")
    assert "leadworker --help" in err
    assert answer(plain, "--theme", "purple")[0] == 2


def test_the_program_answers_as_it_does_in_one_process(plain: Plain) -> None:
    code, out, err = answer(plain, "brief", "keira", "--json")

    assert (code, err) == (0, "")
    assert json.loads(out) == plain("brief", "keira", "--json").json()
    assert answer(plain, "--version") == (0, f"leadworker {__version__}\n", "")
    assert answer(plain, "frobnicate")[0] == 2


def test_a_note_from_a_pipe_and_its_passphrase_do_not_get_mixed_up(plain: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LEADWORKER_PASSPHRASE_FILE")
    code, out, err = answer(plain, "note", "keira", "-", typed=PASSPHRASE.encode() + b"\nThe first line was no passphrase.\n")

    assert (code, out) == (1, "")
    assert "There is no terminal here to ask for the passphrase." in err


@pytest.mark.skipif(os.name == "nt", reason="pipes are something else there")
def test_a_closed_pipe_is_no_trouble(plain: Plain) -> None:
    for day in range(1, 29):
        plain("note", "keira", f"Day {day}. " + "Words. " * 800, "--when", f"2025-11-{day:02}")
    read, write = os.pipe()
    started = program(plain, "timeline", "keira", stdout=write)
    os.close(write)
    assert os.read(read, 10)
    os.close(read)
    _, err = started.communicate(timeout=PATIENCE_S)

    assert (started.returncode, err) == (0, b"")


@pytest.mark.skipif(os.name == "nt", reason="started without any descriptor")
def test_a_program_started_without_any_output_still_does_its_work(plain: Plain) -> None:
    command = f'"{sys.executable}" -m leadworker note keira "He rang." >&- 2>&-'
    done = subprocess.run(["sh", "-c", command], stdin=subprocess.DEVNULL, timeout=PATIENCE_S, start_new_session=True)

    assert done.returncode == 0
    assert plain("timeline", "keira", "--limit", "1", "--json").json()["entries"][0]["title"] == "He rang."


@pytest.mark.skipif(os.name == "nt", reason="started without any descriptor")
def test_no_file_takes_the_place_of_a_screen_that_is_not_there() -> None:
    lines = "import os; os.close(1); os.close(2); from leadworker import __main__ as m; m._fill_missing_streams(); os.fstat(1); os.fstat(2)"

    assert subprocess.run([sys.executable, "-c", lines], timeout=PATIENCE_S).returncode == 0


def test_an_encoding_without_these_letters_is_no_trouble(plain: Plain) -> None:
    plain("people", "add", "Łukasz Żak")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    code, out, err = answer(plain, "people", env=environment)

    assert code == 0
    assert "?ukasz ?ak" in out
    assert err == ""


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
def test_on_a_terminal_the_passphrase_is_asked_for_and_the_note_line_by_line(plain: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LEADWORKER_PASSPHRASE_FILE")
    shown = terminal(plain, ["note", "yusuf"], [
        ("Passphrase:", PASSPHRASE), ("What was it?", "visit home yesterday 4pm"), ("Seen:", "Yusuf"), ("", ""),
        ("Said, in their own words:", "I like it here."), ("", "Most days."), ("", ""), ("Noticed:", ""), ("I think:", ""),
        ("Next, one action a line:", "ring school fri"), ("", ""),
    ])  # fmt: skip
    monkeypatch.setenv("LEADWORKER_PASSPHRASE_FILE", str(plain.passphrase_file))
    entry = plain("timeline", "yusuf", "--json").json()["entries"][0]

    assert PASSPHRASE not in shown
    assert "Saved on this laptop: Visit, Yusuf Demir, yesterday 16:00, home." in shown
    assert (entry["seen"], entry["said"]) == ("Yusuf", "I like it here.\nMost days.")
    assert plain("drafts", "--json").json()["drafts"] == []


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
def test_ctrl_c_in_the_middle_of_a_note_keeps_what_was_typed(plain: Plain) -> None:
    talk = [("What was it?", "visit home"), ("Seen:", "Yusuf"), ("", "his aunt"), ("", ""), ("Said", "\x03")]
    shown = terminal(plain, ["note", "yusuf"], talk)
    (draft,) = plain("drafts", "--json").json()["drafts"]

    assert "Traceback" not in shown
    assert (draft["first_line"], draft["seen"]) == ("visit home", "Yusuf\nhis aunt")


def terminal(plain: Plain, arguments: list[str], talk: list[tuple[str, str]]) -> str:
    """Run the program in a pseudo-terminal: wait for each prompt, then type its answer. Return everything that was shown."""
    import pty
    import select

    process, channel = pty.fork()
    if process == 0:
        os.execv(sys.executable, [sys.executable, "-m", "leadworker", *arguments])
    shown, at, ended = "", 0, False
    until = time.monotonic() + PATIENCE_S

    def listen(wanted: str, seconds: float = PATIENCE_S) -> None:
        nonlocal shown, at, ended
        give_up = min(until, time.monotonic() + seconds)
        while wanted not in shown[at:] and not ended and time.monotonic() < give_up:
            if select.select([channel], [], [], 0.1)[0]:
                try:
                    shown += os.read(channel, 65536).decode(errors="replace")
                except OSError:  # what Linux says when the other side is gone
                    ended = True
        at = max(at, shown.find(wanted, at) + len(wanted)) if wanted else at

    try:
        for prompt, typed in talk:
            listen(prompt)
            if typed == "\x03":  # one that comes just before a read begins is only noticed after it: a person presses again
                while not ended and time.monotonic() < until:
                    os.write(channel, b"\x03")
                    listen("\0", 0.5)
            else:
                os.write(channel, typed.encode() + b"\n")
                listen("\n")  # the echo of the line
        listen("\0 until the end")
    finally:
        os.kill(process, signal.SIGKILL)  # it has ended by itself, or never will
        os.waitpid(process, 0)
        os.close(channel)
    return shown


def test_a_command_that_is_killed_leaves_the_vault_free(plain: Plain) -> None:
    """A command that is killed leaves the vault free for the next one."""
    started = program(plain, "note", "keira", "-", stdin=subprocess.PIPE)
    started.send_signal(signal.SIGKILL if os.name != "nt" else signal.SIGTERM)
    started.communicate(timeout=PATIENCE_S)

    assert "Keira" in plain("people").out


def test_the_vaults_folder_may_be_the_platforms_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from leadworker import places

    monkeypatch.delenv("LEADWORKER_VAULT", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))

    assert places.vault_folder().name == "vault"
    assert "leadworker" in str(places.vault_folder())


def test_a_folder_whose_name_no_disk_can_take_is_said_in_a_sentence(plain: Plain, tmp_path: Path) -> None:
    folder = str(tmp_path / ("a" * 300))
    for command in (["people"], ["init", "--name", "Alex"], ["check"]):
        said = plain(*command, "--vault", folder, code=1).err
        assert "a name that is longer than a disk can take" in said and "Reference" not in said


def test_the_screens_say_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(__main__, "_has_terminal", lambda: True)
    assert __main__.open_screens(Screens(str(tmp_path / ("a" * 300)), None, None)) == 1
    assert "a name that is longer than a disk can take" in capsys.readouterr().err
