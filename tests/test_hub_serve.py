"""The central store as a program: killed in the middle of a push, stopped in order, and what it will not listen on."""

from __future__ import annotations

import contextlib
import datetime
import io
import ipaddress
import os
import random
import signal
import socket
import ssl
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from leadworker.statements import Role
from sync import wire
from sync.hub import recovery_desk, sole_server
from sync.hub.backup import back_up
from sync.hub.databases import change_allowance, upgrade
from sync.hub.serve import EmbeddedHub, serve
from sync.hub.store import HubTrouble
from tests.hub_program import now_ms, program
from tests.hub_world import FakeOrganisation, Lane, Laptop, run, told

pytest_plugins = ["tests.hub_fixtures"]

ROUNDS = 4
WRITERS = 4


def test_what_was_acknowledged_is_there_after_the_store_was_killed(database: str, tmp_path: Path) -> None:
    """Killed again and again in the middle of pushes: an acknowledgement outlives it, and a retry is the same."""
    chance = random.Random(7)
    log = tmp_path / "log"
    organisation: FakeOrganisation | None = None
    acknowledged: dict[tuple[int, int], wire.Outcome] = {}
    for _ in range(ROUNDS):
        with program(database, log) as running:
            if organisation is None:
                organisation = FakeOrganisation(running.url, now_ms)
                assert told(wire.Outcome, organisation.found(running.setup_code)).code == ""
                laptops = [organisation.colleague() for _ in range(WRITERS)]
                book = organisation.casebook(laptops[0], [(m, Role.CO_WORKER) for m in laptops[1:]]).book
                lanes = [Lane(book, laptop.device) for laptop in laptops]
                runs: list[list[wire.Run]] = [[] for _ in laptops]
            fresh = httpx.Client(base_url=running.url, timeout=10)
            for laptop in laptops:
                laptop.http = fresh
            answered = threading.Semaphore(0)
            with ThreadPoolExecutor(WRITERS) as pool:
                writing = [
                    pool.submit(_write_until_killed, number, laptops, lanes, runs, acknowledged, answered) for number in range(WRITERS)
                ]
                for _ in range(chance.randint(3, 40)):
                    assert answered.acquire(timeout=20), [task.exception() for task in writing if task.done()]
                running.process.kill()
                running.process.wait(20)
            for task in writing:
                task.result()
            fresh.close()
    assert organisation is not None
    with program(database, log) as running, httpx.Client(base_url=running.url, timeout=10) as fresh:
        for laptop in laptops:
            laptop.http = fresh
        held = {item.header: item.n for item in laptops[0].pull(book)}
        for (number, place), outcome in acknowledged.items():
            sent = runs[number][place]
            assert tuple(held[header] for header, _ in sent.changes) == outcome.ns, "acknowledged, so it is there"
            assert laptops[number].push(sent) == (outcome,), "and a retry gets the same receipt"
        for number, laptop in enumerate(laptops):
            assert all(outcome.code == "" for outcome in laptop.push(*runs[number])), "what was on its way gets through"
        everything = [header for mine in runs for sent in mine for header, _ in sent.changes]
        got = [item.header for item in laptops[0].pull(book)]
        assert sorted(got[2:]) == sorted(everything), "each change once, and none besides"
    organisation.close()


def _write_until_killed(
    number: int,
    laptops: list[Laptop],
    lanes: list[Lane],
    runs: list[list[wire.Run]],
    acknowledged: dict[tuple[int, int], wire.Outcome],
    answered: threading.Semaphore,
) -> None:
    """Push as a laptop does: first again what was not acknowledged, then new runs, until the store is gone."""
    chance, mine = random.Random(number), runs[number]
    with contextlib.suppress(httpx.TransportError):
        while True:
            open_places = [place for place in range(len(mine)) if (number, place) not in acknowledged]
            if not open_places:
                mine.append(run(laptops[number].keys, lanes[number].write(chance.randint(1, 30))))
                open_places = [len(mine) - 1]
            for place in open_places:
                (outcome,) = laptops[number].push(mine[place])
                assert outcome.code == "", outcome.sentence
                acknowledged[(number, place)] = outcome
                answered.release()


def test_the_store_stops_in_order_when_it_is_told_to(database: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with program(database, log) as running:
        assert running.setup_code.count("-") == 4
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(20) == 0
    assert '"event":"started"' in log.read_text() and '"event":"stopped"' in log.read_text()
    if not database.startswith("postgresql"):
        assert not Path(database + "-wal").exists(), "the database was closed and is one file again"
    with program(database, log) as running:
        assert running.setup_code == "", "it is shown once"


def test_one_file_has_one_server_also_after_it_was_killed_and_commands_beside_it_go_on(tmp_path: Path) -> None:
    """Two would each remember their own requests and listeners: what was recorded at one could be played at the other."""
    log, database, console = tmp_path / "log", str(tmp_path / "hub.db"), io.StringIO()
    (tmp_path / "another-name.db").symlink_to(database)
    with program(database, log) as running:
        port = int(running.url.rpartition(":")[2])  # so that a second one which is not refused for the file ends all the same
        for name in (database, str(tmp_path / "another-name.db")):
            with pytest.raises(HubTrouble, match="serves .* already.*Stop it first"):
                serve(name, port=port, new_setup_code=True, console=console, log=io.StringIO())
        change_allowance(database, device_at_once=2000)
        assert back_up(database, tmp_path / "copy.db")
        assert not recovery_desk.look(database).books
        assert upgrade(database)[1]
        with pytest.raises(HubTrouble, match="serves"):
            serve(database, port=port, console=console, log=io.StringIO())
        assert console.getvalue() == "" and httpx.get(f"{running.url}/v1/health").status_code == 204
        running.process.kill()
        running.process.wait(20)
    with program(database, log):
        pass
    assert sorted(path.name for path in tmp_path.glob("hub.db*")) == ["hub.db"], "it stands alone after a stop"


def test_whoever_waited_for_a_server_that_stops_does_not_hold_a_file_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock's file is taken away at a stop. A lock on the old one would keep nobody off, and a third one has a new one by then."""
    database, lock = str(tmp_path / "hub.db"), sole_server._lock
    first, third = sole_server.sole_server(database), sole_server.sole_server(database)
    first.__enter__()

    def lock_after_a_change_of_servers(file: int) -> bool:
        monkeypatch.setattr(sole_server, "_lock", lock)
        first.__exit__(None, None, None)
        third.__enter__()
        return lock(file)

    monkeypatch.setattr(sole_server, "_lock", lock_after_a_change_of_servers)
    with pytest.raises(HubTrouble, match="serves"), sole_server.sole_server(database):
        pass
    third.__exit__(None, None, None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root makes files for others")
def test_a_command_of_root_that_is_killed_does_not_shut_out_the_account_of_the_store(tmp_path: Path) -> None:
    """The guide has root run “hub serve --new-setup-code” beside a service with an account of its own."""
    database = tmp_path / "hub.db"
    database.touch()
    os.chown(database, 12345, 12345)
    with sole_server.sole_server(str(database)):
        lock = (tmp_path / f"hub.db{sole_server.ENDING}").stat()
    assert (lock.st_uid, lock.st_gid) == (12345, 12345)


def test_a_lost_set_up_code_can_be_replaced_until_there_is_an_organisation(tmp_path: Path) -> None:
    log, database = tmp_path / "log", str(tmp_path / "hub.db")
    with program(database, log) as running:
        lost = running.setup_code
    with program(database, log, new_setup_code="True") as running:
        organisation = FakeOrganisation(running.url, now_ms)
        assert organisation.found(lost).status_code == 403
        organisation = FakeOrganisation(running.url, now_ms)
        assert told(wire.Outcome, organisation.found(running.setup_code)).code == ""
        organisation.close()


def test_it_speaks_tls_with_a_certificate_that_it_is_given(tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path)
    trust = ssl.create_default_context(cafile=certificate)
    with program(
        str(tmp_path / "hub.db"), tmp_path / "log",
        certificate=f"__import__('pathlib').Path({str(certificate)!r})", key=f"__import__('pathlib').Path({str(key)!r})",
    ) as running:  # fmt: skip
        assert running.url.startswith("https://")
        with httpx.Client(base_url=running.url, verify=trust) as http:
            assert http.get("/v1/health").status_code == 204
        with pytest.raises(httpx.TransportError), httpx.Client() as http:
            http.get(running.url.replace("https", "http") + "/v1/health")
        trust.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(httpx.ConnectError), httpx.Client(base_url=running.url, verify=trust) as http:
            http.get("/v1/health")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "hub.example.org"])
def test_without_tls_it_listens_on_this_machine_only(tmp_path: Path, host: str) -> None:
    with pytest.raises(HubTrouble, match="Without TLS"):
        serve(str(tmp_path / "hub.db"), host, 0)
    assert not (tmp_path / "hub.db").exists()


def test_half_a_certificate_or_a_false_one_is_refused(tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path)
    with pytest.raises(HubTrouble, match="Give both"):
        serve(str(tmp_path / "hub.db"), certificate=certificate)
    (tmp_path / "other.pem").write_text("no certificate")
    for wrong in (tmp_path / "other.pem", tmp_path / "missing.pem"):
        with pytest.raises(HubTrouble, match="cannot be read"):
            serve(str(tmp_path / "hub.db"), certificate=wrong, key=key)


def test_a_key_that_is_sealed_with_a_passphrase_is_refused_without_asking_for_it(tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path, serialization.BestAvailableEncryption(b"open sesame"))
    code = (
        "import sys, leadworker; from pathlib import Path; from sync.hub.serve import serve; from sync.hub.store import HubTrouble\n"
        f"try: serve({str(tmp_path / 'hub.db')!r}, port=0, certificate=Path({str(certificate)!r}), key=Path({str(key)!r}))\n"
        "except HubTrouble as trouble: sys.exit(trouble.sentence)"
    )
    started = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    said, why = started.communicate(timeout=60)
    assert (started.returncode, said) == (1, "")
    assert why.startswith("The key of the certificate is sealed with a passphrase") and "without a passphrase" in why
    assert "pass phrase" not in why and why.count(".") == 1, "in one sentence, and OpenSSL asked nobody"
    assert not (tmp_path / "hub.db").exists()


def test_a_port_in_use_is_said_in_words_and_leaves_nothing_open(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(HubTrouble, match=f"port {port}"):
            EmbeddedHub(str(tmp_path / "hub.db"), port)
        with pytest.raises(HubTrouble, match="cannot listen"):
            EmbeddedHub(str(tmp_path / "hub.db"), 70_000)
    names = {thread.name for thread in threading.enumerate()}
    assert not any(name.startswith("hub-") for name in names)


def test_a_set_up_code_that_was_made_is_shown_even_where_nothing_could_be_started(database: str, tmp_path: Path) -> None:
    """Only its hash is kept, so a first start on a port in use would leave a store that nobody can ever set up."""
    for again in range(2):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            console = io.StringIO()
            count = 2 if again and database.startswith("postgresql") else 1
            with pytest.raises(HubTrouble, match="cannot listen"):
                serve(database, port=taken.getsockname()[1], new_setup_code=bool(again), count=count, console=console, log=io.StringIO())
    code = console.getvalue().split()[-1]
    with program(database, tmp_path / "log") as running:
        assert running.setup_code == ""
        organisation = FakeOrganisation(running.url, now_ms)
        assert told(wire.Outcome, organisation.found(code)).code == ""
        organisation.close()


def test_an_embedded_store_prints_nothing_and_can_be_stopped_twice(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    hub = EmbeddedHub(str(tmp_path / "hub.db"))
    assert httpx.get(f"{hub.url}/v1/health").status_code == 204
    assert httpx.get(f"{hub.url}/nothing").status_code == 404
    hub.stop()
    hub.stop()
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{hub.url}/v1/health")
    assert capfd.readouterr() == ("", "")


_PLAIN = serialization.NoEncryption()


def _certificate(folder: Path, sealed: serialization.KeySerializationEncryption = _PLAIN) -> tuple[Path, Path]:
    """Make a certificate for the loopback that trusts itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    loopback = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(loopback, critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate, secret = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed))
    return certificate, secret
