"""The unit and the container file that the operations guide gives: they are read by what reads them, and start what they say."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from leadworker.plain.app import app
from leadworker.plain.hosting import USUAL_PORT
from sync.hub.listening import GRACE_S, check_transport
from tests.test_house import ROOT, project_file, settings, tracked

UNIT, CONTAINER, GUIDE = "docs/hub/leadworker-hub.service", "docs/hub/Containerfile", "docs/hub-operations.md"
FIGURES_PORT = "9470"


def parsed(arguments: list[str]) -> dict[str, object]:
    """Return the options of ``hub serve`` as the real command line reads them; fail at one that it does not know."""
    import typer

    serve = typer.main.get_command(app).commands["hub"].commands["serve"]  # type: ignore[attr-defined]
    return dict(serve.make_context("serve", list(arguments)).params)


def unit() -> dict[str, list[str]]:
    """Return the settings of the unit, by name."""
    found: dict[str, list[str]] = {}
    for line in project_file(UNIT).splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the container file, with their lines joined."""
    text = re.sub(r"\\\n\s*", "", project_file(CONTAINER))
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in text.splitlines() if line and not line.startswith("#")]


def test_the_unit_starts_the_store_with_options_that_it_has() -> None:
    (start,) = unit()["ExecStart"]
    program, *arguments = start.split()
    assert (program.rsplit("/", 1)[-1], arguments[:2], arguments[-1]) == ("leadworker", ["hub", "serve"], "$LEADWORKER_HUB_OPTIONS")
    options = parsed(arguments[2:-1])
    check_transport(str(options["host"]), None, None, bool(options["behind_proxy"]))
    assert (options["host"], options["metrics_host"], options["metrics_port"]) == ("127.0.0.1", "127.0.0.1", int(FIGURES_PORT))
    for example in re.findall(r"#\s+LEADWORKER_HUB_OPTIONS=(.*)", project_file(UNIT)):
        (one,) = shlex.split(example)  # a shell reads the file too, and would run what stands after a bare space
        assert parsed(one.split())["processes"]


def test_the_unit_gives_the_store_the_time_that_it_needs_to_stop() -> None:
    assert int(unit()["TimeoutStopSec"][0]) > GRACE_S + 5
    assert (unit()["KillSignal"], unit()["Restart"]) == (["SIGTERM"], ["on-failure"])
    assert unit()["StartLimitIntervalSec"] == ["0"], "whose database comes back after an hour is not given up before"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="NO SYSTEMD HERE: the unit is NOT read by it on this machine")
def test_systemd_reads_the_unit_without_a_word_of_complaint_and_finds_little_exposed(tmp_path: Path) -> None:
    copy = tmp_path / "leadworker-hub.service"
    copy.write_text(project_file(UNIT).replace("/opt/leadworker/bin/leadworker", "/bin/true"))
    read = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True)
    if "Failed to" in read.stderr and str(copy) not in read.stderr:
        pytest.skip(f"SYSTEMD-ANALYZE DOES NOT WORK HERE: {read.stderr.strip()[:200]}")
    assert (read.returncode, read.stderr) == (0, "")
    judged = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=20", str(copy)], capture_output=True, text=True)
    if "unrecognized option" not in judged.stderr:
        assert judged.returncode == 0, judged.stdout[-200:]


def test_the_container_starts_the_store_as_nobody_in_particular_with_options_that_it_has() -> None:
    said = instructions()
    given = dict(said)
    assert json.loads(given["ENTRYPOINT"]) == ["leadworker", "hub", "serve"]
    options = parsed(json.loads(given["CMD"]))
    check_transport(str(options["host"]), None, None, bool(options["behind_proxy"]))
    assert given["EXPOSE"] == str(options["port"]) == str(USUAL_PORT)
    assert (options["metrics_host"], options["metrics_port"]) == ("127.0.0.1", int(FIGURES_PORT))
    assert f"127.0.0.1:{FIGURES_PORT}/health" in json.loads(given["HEALTHCHECK"].partition("CMD ")[2])[2]
    names = [name for name, _ in said]
    assert given["USER"] not in ("root", "0") and names.index("USER") < names.index("ENTRYPOINT")
    assert names.index("USER") > max(place for place, name in enumerate(names) if name == "RUN")
    assert given["STOPSIGNAL"] == "SIGTERM"
    kept = given["VOLUME"]
    assert f"LEADWORKER_HUB_DATABASE={kept}/" in given["ENV"] and f"--mode 0700 {kept}" in dict(said)["RUN"]


def test_the_container_is_built_from_what_the_package_is_made_of_and_nothing_else(tmp_path: Path) -> None:
    """Above all not from `.git` and `.venv`, which lie in the same folder."""
    tracked()  # skips where there is no checkout to build from
    source = tmp_path / "src"
    source.mkdir()
    for place, said in instructions():
        if place != "COPY" or said.startswith("--from"):
            continue
        *names, target = said.split()
        assert target == ("/src/" if len(names) > 1 else f"/src/{names[0]}"), said
        for name in names:
            assert (ROOT / name).exists(), name
            (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, source / name)
    made = {folder: _wheel(folder, tmp_path / f"of {folder.name}") for folder in (source, ROOT)}
    assert made[source] == made[ROOT]
    build, project = settings()["tool"]["hatch"]["build"]["targets"]["wheel"], settings()["project"]
    needed = {*build["packages"], *build["force-include"], project["readme"], *project["license-files"], "pyproject.toml"}
    assert {path.name for path in source.iterdir()} == needed


def _wheel(folder: Path, into: Path) -> list[str]:
    """Build the wheel of a folder; return the names of what is in it."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(into)]
    subprocess.run(build, cwd=folder, check=True, capture_output=True)
    (file,) = into.glob("*.whl")
    with zipfile.ZipFile(file) as wheel:
        return sorted(wheel.namelist())


def test_every_command_of_the_guide_has_the_options_that_the_guide_gives_it() -> None:
    import typer

    commands = typer.main.get_command(app).commands["hub"].commands  # type: ignore[attr-defined]
    text = project_file(GUIDE)
    shown = re.findall(r"leadworker hub ([a-z]+)([^\n`”|]*)", text)
    assert {name for name, _ in shown} >= {"serve", "upgrade", "backup", "allowance"}
    for name, rest in shown:
        known = {option for parameter in commands[name].params for option in parameter.opts}
        assert set(re.findall(r"(?<![\w-])--[a-z-]+", rest)) <= known, (name, rest)


def test_every_figure_that_the_guide_names_is_one_that_the_store_shows() -> None:
    from sync.hub.metrics import Metrics

    shown = set(re.findall(r"^# TYPE (\S+)", Metrics().text({}), re.MULTILINE))
    named = set(re.findall(r"leadworker_hub_[a-z_]+", project_file(GUIDE)))
    assert named and {re.sub(r"_(bucket|sum|count)$", "", name) for name in named} <= shown


def test_the_files_of_the_guide_are_there() -> None:
    for name in (UNIT, CONTAINER, GUIDE):
        project_file(name)
        assert (ROOT / name).is_file()
