"""The house holds: its walls, its wheel, its one version, its documents, and what stands in no file."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

import leadworker

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("leadworker", "screens", "storage", "sync")
LONGEST_FILE = 450
"""Lines. The house aims at 400; the rest is room for a sentence more."""

AGPL_SHA256 = "0d96a4ff68ad6d4b6f1f30f713b18d5184912ba8dd389f86aa7710db079abcb0"
"""Of the text as the Free Software Foundation publishes it."""


def room_folder(room: str) -> Path:
    """Return the folder of a room, in the checkout or in the installed wheel."""
    spec = importlib.util.find_spec(room)
    assert spec is not None
    assert spec.origin
    return Path(spec.origin).parent


@functools.cache
def sources() -> dict[str, str]:
    """Return every Python file of the rooms by its name from there: ``screens/app.py`` to its text."""
    found = {}
    for room in ROOMS:
        folder = room_folder(room)
        for file in sorted(folder.rglob("*.py")):
            name = file.relative_to(folder)
            if "_rooms" not in name.parts:
                found[f"{room}/{name.as_posix()}"] = file.read_text("utf-8")
    return found


@functools.cache
def tracked() -> tuple[str, ...]:
    """Return what git tracks, or skip the asking test loudly where there is no checkout."""
    if not (ROOT / ".git").exists():
        pytest.skip("NO CHECKOUT HERE: what git tracks is compared with the wheel in the checkout only")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(name for name in listed.split("\0") if name and (ROOT / name).exists())


def project_file(name: str) -> str:
    """Return the text of a file beside the rooms, or skip the asking test where it was not brought along."""
    path = ROOT / name
    if not path.exists() and not (ROOT / ".git").exists():
        pytest.skip(f"NO CHECKOUT HERE: {name} is looked at in the checkout only")
    return path.read_text("utf-8")


@functools.cache
def settings() -> dict[str, Any]:
    """Return what pyproject.toml says."""
    return tomllib.loads(project_file("pyproject.toml"))


# The wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel as it would be built from this folder now."""
    tracked()
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (file,) = folder.glob("*.whl")
    return zipfile.ZipFile(file)


def test_the_wheel_puts_one_name_into_a_users_site_packages(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}

    assert tops == {"leadworker", f"leadworker-{leadworker.__version__}.dist-info"}


def test_the_wheel_holds_what_git_tracks_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    expected = set()
    for name in tracked():
        room = name.split("/")[0]
        if room in ROOMS:
            expected.add(name if room == "leadworker" else f"leadworker/_rooms/{name}")
    inside = {name for name in wheel.namelist() if ".dist-info/" not in name}

    assert inside - expected == set(), "not tracked by git, so it must not travel: add it, or remove it"
    assert expected - inside == set(), "tracked by git and left out of the wheel"
    assert {Path(name).suffix for name in inside} >= {".py", ".txt"}
    assert "leadworker/py.typed" in inside


def test_the_wheel_carries_its_licence_its_notice_and_its_command(wheel: zipfile.ZipFile) -> None:
    info = f"leadworker-{leadworker.__version__}.dist-info"

    assert {f"{info}/licenses/LICENSE", f"{info}/licenses/NOTICE"} <= set(wheel.namelist())
    assert "leadworker = leadworker.__main__:main" in wheel.read(f"{info}/entry_points.txt").decode()
    assert "leadworker/__main__.py" in wheel.namelist(), "the command has something to start"


def test_the_version_stands_in_one_place(wheel: zipfile.ZipFile) -> None:
    version = leadworker.__version__
    metadata = wheel.read(f"leadworker-{version}.dist-info/METADATA").decode()
    elsewhere = [name for name, text in sources().items() if f'"{version}"' in text and name != "leadworker/__init__.py"]

    assert f"\nVersion: {version}\n" in metadata
    assert settings()["project"].get("version") is None
    assert elsewhere == []


# The walls, as the interpreter sees them. The static ones are import-linter's, in pyproject.toml.


def imported_by(*modules: str) -> set[str]:
    """Return every module that a fresh interpreter has loaded after importing these."""
    lines = ["import json, sys", "import leadworker", *(f"import {module}" for module in modules), "print(json.dumps(list(sys.modules)))"]
    run = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(json.loads(run.stdout.splitlines()[-1]))


FIRST_PAINT = (
    "leadworker.__main__", "leadworker.wiring", "leadworker.places",
    "screens.environment", "screens.app", "screens.unlock", "screens.first_run", "screens.hide", "screens.help",
)  # fmt: skip
TOO_SLOW_FOR_IT = {"sqlalchemy", "sqlmodel", "pydantic", "httpx", "fastapi", "starlette", "uvicorn", "psycopg", "hypothesis"}


@pytest.mark.parametrize("module", FIRST_PAINT)
def test_nothing_on_the_way_to_the_first_picture_loads_the_database_or_the_network(module: str) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"there is no {module}")
    loaded = {name.split(".")[0] for name in imported_by(module)}

    assert loaded & TOO_SLOW_FOR_IT == set()


def test_the_central_store_loads_nothing_that_could_open_a_record() -> None:
    pytest.importorskip("fastapi")
    left_out = ("__init__.py", "migrations/env.py")  # the second runs inside Alembic only
    hub = [name[:-3].replace("/", ".") for name in sources() if name.startswith("sync/hub/") and not name.endswith(left_out)]
    ours = {name for name in imported_by(*hub) if name.split(".")[0] in ROOMS and not name.startswith("sync.hub")}

    rules = {f"leadworker.{name}" for name in ("change", "statements", "directory", "errand", "membership", "proof")}
    assert ours == {"sync", "sync.wire", "sync.sealed_layout", "leadworker"} | rules


def test_every_module_of_leadworker_has_its_place_among_the_layers() -> None:
    contracts = settings()["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    placed = {name for layer in layers for name in re.findall(r"leadworker\.(\w+)", layer)}
    present = {Path(name).parts[1].removesuffix(".py") for name in sources() if name.startswith("leadworker/")} - {"__init__"}

    assert present - placed == set(), "give the new module a layer in pyproject.toml, with its reason"


def test_every_wall_says_why_it_stands() -> None:
    before = re.findall(r"(.*)\n\[\[tool\.importlinter\.contracts\]\]", project_file("pyproject.toml"))

    assert len(before) >= 8
    assert [line for line in before if not line.startswith("# ")] == []


# The files


@pytest.mark.parametrize("room", ROOMS)
def test_files_stay_short_enough_to_be_read_in_one_go(room: str) -> None:
    long = {name: text.count("\n") for name, text in sources().items() if name.startswith(room + "/") and text.count("\n") > LONGEST_FILE}

    assert long == {}


def test_every_module_says_what_it_is_for() -> None:
    silent = [name for name, text in sources().items() if not ast.get_docstring(ast.parse(text))]

    assert silent == []


def test_no_error_is_swallowed_without_being_named() -> None:
    bare = [
        f"{name}:{node.lineno}"
        for name, text in sources().items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ExceptHandler) and node.type is None
    ]

    assert bare == []


def test_names_are_the_fields_words_not_a_programmers() -> None:
    vague = re.compile(r"(manager|helper|util|utils|misc|common|handler)$", re.IGNORECASE)
    files = [name for name in sources() if vague.search(Path(name).stem)]
    classes = [
        f"{name}: {node.name}"
        for name, text in sources().items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ClassDef) and vague.search(node.name)
    ]

    assert files + classes == []


UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
A_MACHINE_PATH = re.compile(r"(?<![\w.])/(?:home|root|Users|work)/(?!(?:alex|x)\b)\w|[A-Z]:\\\\?Users")  # Alex and x are invented
A_REGISTRY = re.compile(r"pypi\.org|pythonhosted\.org|registry\.npmjs|index-url", re.IGNORECASE)
TEXTS = {".py", ".md", ".toml", ".txt", ".tcss", ".sql", ".cfg", ".yml", ".yaml", ""}
SPARED = {"LICENSE", "tests/test_house.py"}


@pytest.mark.parametrize(
    ("what", "pattern"),
    [("unfinished work", UNFINISHED), ("a path of one machine", A_MACHINE_PATH), ("a package registry's address", A_REGISTRY)],
    ids=["unfinished work", "machine paths", "registries"],
)
def test_no_file_holds(what: str, pattern: re.Pattern[str]) -> None:
    found = []
    for name in tracked():
        if Path(name).suffix in TEXTS and name not in SPARED and not name.startswith("tests/contact_files/"):
            lines = (ROOT / name).read_text("utf-8", errors="replace").splitlines()
            found += [f"{name}:{number}" for number, line in enumerate(lines, start=1) if pattern.search(line)]

    assert found == [], f"holds {what}"


# The documents


def test_the_licence_is_the_whole_official_text() -> None:
    assert hashlib.sha256(project_file("LICENSE").encode()).hexdigest() == AGPL_SHA256


def test_the_word_list_that_is_not_ours_is_named_with_its_licence() -> None:
    notice = project_file("NOTICE")

    assert "words.txt" in notice
    assert "Pavol Rusnak" in notice
    assert "Permission is hereby granted, free of charge" in notice


def test_the_manuals_page_of_keys_is_the_table_that_the_program_uses() -> None:
    keys = pytest.importorskip("screens.keys")

    assert project_file("docs/keys.md") == keys.keys_markdown(), "run `make keys`"


def test_no_screen_has_a_key_of_its_own_that_the_table_does_not_know() -> None:
    moving_and_closing = {"up", "down", "pageup", "pagedown", "home", "end", "enter", "escape", "f1", "q"}
    others = []
    for name, text in sources().items():
        if name.startswith("screens/") and name != "screens/keys.py":
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Binding":
                    keys = ast.literal_eval(node.args[0]).split(",")
                    others += [f"{name}:{node.lineno} {key}" for key in keys if key not in moving_and_closing]

    assert others == [], "declare it in screens/keys.py, from where the footer, the help and the manual are made"


def test_every_link_in_the_documents_leads_somewhere() -> None:
    broken = []
    for name in tracked():
        if name.endswith(".md"):
            for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", (ROOT / name).read_text("utf-8")):
                here = (ROOT / name).parent / link
                if not link.startswith(("http:", "https:", "mailto:")) and not here.exists():
                    broken.append(f"{name}: {link}")

    assert broken == []


def test_wherever_it_says_end_to_end_encrypted_it_also_says_that_nobody_has_reviewed_it_yet() -> None:
    silent = [
        name
        for name in tracked()
        if name.endswith(".md")
        and re.search(r"end[- ]to[- ]end", (ROOT / name).read_text("utf-8"))
        and "not been independently reviewed yet" not in " ".join((ROOT / name).read_text("utf-8").split())
    ]

    assert silent == []


def test_both_commands_of_the_readme_stand_on_its_first_screen() -> None:
    first_screen = project_file("README.md").splitlines()[:40]

    assert any("make demo" in line for line in first_screen)
    assert any("make test" in line for line in first_screen)
    assert any(line.startswith("![Today](docs/pictures/today.svg)") for line in first_screen)
