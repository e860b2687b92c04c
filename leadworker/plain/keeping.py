"""Commands about the vault itself: making one, looking through it, backing it up, putting it back, changing what opens it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from leadworker import wiring
from leadworker.clock import Moment
from leadworker.crypto.words import suggest_passphrase
from leadworker.errors import DiskTrouble, LeadworkerError, NotUnderstood
from leadworker.plain import output, secret
from leadworker.plain.command import argument, command, flag, option
from leadworker.plain.place import Open, Place
from leadworker.postbox import PutAside
from leadworker.text import one_line
from leadworker.words.saying import say_count

BACKUP_FACT = "backup"
"""Under this name the vault remembers when it was last backed up: UTC milliseconds, big-endian."""


class VaultMade(msgspec.Struct, frozen=True):
    """A vault that was made. `passphrase` is empty unless leadworker chose it."""

    folder: str
    name: str
    passphrase: str
    recovery_words: tuple[str, ...]


class Looked(msgspec.Struct, frozen=True):
    """One thing that a check looked at."""

    what: str
    whole: bool
    sentence: str


class Aside(msgspec.Struct, frozen=True):
    """A change of a colleague's that was received and could not be opened or applied. `received` is UTC, ISO 8601."""

    written_by: str
    about: str
    number: int
    received: str
    why: str


class Checked(msgspec.Struct, frozen=True):
    """A check. `digest` is over every record; `missing` changes were known to the safety mark and are not here."""

    whole: bool
    changes: int
    digest: str
    mended: bool
    missing: int
    findings: tuple[Looked, ...]
    put_aside: tuple[Aside, ...]


class BackedUp(msgspec.Struct, frozen=True):
    """A backup that was written and opened once."""

    file: str
    bytes: int


class Restored(msgspec.Struct, frozen=True):
    """A vault that was put back."""

    folder: str
    file: str


class Opens(msgspec.Struct, frozen=True):
    """What opens the vault from now on; empty is what stayed as it was or what the owner chose."""

    passphrase: str
    recovery_words: tuple[str, ...]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    command(app, "init")(init)
    command(app, "check")(check)
    command(app, "backup")(backup)
    command(app, "restore")(restore)
    command(app, "passphrase")(passphrase)


def init(
    place: Place,
    name: Annotated[str, flag("--name", "Your name, as your colleagues know it.")],
    own_passphrase: Annotated[bool, flag("--own-passphrase", "Type a passphrase of your own.")] = False,
) -> None:
    """Make a vault, with a passphrase and recovery words.

    The passphrase is generated. Both are shown once and kept nowhere. With --passphrase-file the passphrase
    is taken from that file instead.
    """
    from storage import opening

    if opening.exists(place.folder):
        raise NotUnderstood(f"There is a vault in {place.folder} already. Nothing was changed.")
    given = _own(place, own_passphrase)
    chosen = given or suggest_passphrase()

    def show(called: str, words: tuple[str, ...]) -> None:
        made = VaultMade(str(place.folder), called, "" if given else chosen, words)
        place.hand_over(made, _made(made))

    vault, _ = opening.create(place.folder, name, chosen, purpose=place.purpose, show=show)
    vault.close()


def _own(place: Place, typed: bool) -> str:
    """Return the passphrase that somebody chose, judged, or an empty text for a generated one."""
    if place.passphrase_file is not None and not typed:
        return _judged(secret.first_line(place.passphrase_file))
    if not typed:
        return ""
    first = _judged(secret.ask("New passphrase: "))
    if " ".join(secret.ask("The same again: ").split()) != " ".join(first.split()):
        raise NotUnderstood("Those were two different passphrases. Nothing was changed.")
    return first


def _judged(passphrase: str) -> str:
    if wrong := wiring.judge_passphrase(passphrase):
        raise NotUnderstood(f"{wrong} Nothing was changed.")
    return passphrase


def _made(made: VaultMade) -> Iterator[str]:
    yield f"A vault for {made.name} was made in {made.folder}."
    if made.passphrase:
        yield f"Your passphrase: {made.passphrase}"
    yield from _recovery(made.recovery_words)
    yield "Write them down and keep them away from this computer: they are shown this once and kept nowhere."
    yield "“leadworker people add NAME” writes down the first person."


def _recovery(words: tuple[str, ...]) -> Iterator[str]:
    yield "The sixteen recovery words, which open the vault when the passphrase is lost:"
    for at in range(0, len(words), 4):
        yield "  " + "  ".join(f"{number} {word}" for number, word in enumerate(words[at : at + 4], start=at + 1))


def check(
    place: Place,
    rebuild: Annotated[bool, flag("--rebuild", "Make every page of the journal again from its log and compare.")] = False,
    mend: Annotated[bool, flag("--mend", "When the safety mark does not fit: keep what is whole and go on.")] = False,
) -> None:
    """Look through the whole vault.

    Pages, chain, signatures, casebooks: exit code 1 when something is not whole.
    """
    if not mend:
        with place.opened() as opened:
            whole = _report(place, opened, rebuild, mended=False, missing=0)
        if not whole:
            raise typer.Exit(1)
        return
    from storage import mending
    from storage.vault import Vault

    missing: list[int] = []

    def mended() -> Vault:
        vault, found = mending.mend(place.folder, place.passphrase(), purpose=place.purpose)
        missing.append(found.missing)
        return vault

    place.refuse_without_vault()
    with place.opened_by(mended) as opened:
        whole = _report(place, opened, rebuild, mended=True, missing=missing[0])
    if not whole:
        raise typer.Exit(1)


def _report(place: Place, opened: Open, rebuild: bool, *, mended: bool, missing: int) -> bool:
    from storage import checking

    vault, box = opened.vault, wiring.postbox_of(opened.vault)
    own, keys_of = vault.identity.signing_public, wiring.signing_keys(asyncio.run(box.directory()))
    progress = output.Progress("Looked through", silent=place.as_json)

    def look() -> checking.Report:
        connection, anchor = vault.connection, vault.anchor.read()
        tell = progress.at
        return checking.check(
            connection, anchor, own, keys_of=keys_of, rebuild=rebuild, progress=lambda _, done, of: tell(done, of), files=vault.files
        )

    report = opened.on_thread(look)
    checked = Checked(
        report.whole, report.changes, report.digest, mended, missing,
        tuple(Looked(f.what, f.whole, f.sentence) for f in report.findings),
        tuple(_aside(aside) for aside in asyncio.run(box.put_aside())) if report.record_is_whole else (),
    )  # fmt: skip
    place.tell(checked, _checked(checked, report.record_is_whole))
    return report.whole


def _aside(aside: PutAside) -> Aside:
    received = datetime.fromtimestamp(aside.received_ms / 1000, tz=UTC).isoformat(timespec="seconds")
    return Aside(one_line(aside.written_by), aside.about, aside.n, received, aside.why)


def _checked(report: Checked, record_is_whole: bool) -> Iterator[str]:
    if report.mended:
        yield f"A new safety mark was made over the {report.changes} changes that are here."
    if report.missing:
        yield f"At least {say_count(report.missing, 'change is', 'changes are')} missing. What was sent comes back with the next sync."
    for finding in report.findings:
        yield finding.sentence if finding.whole else f"Not whole: {finding.sentence}"
    for aside in report.put_aside:
        about = f" about {aside.about}" if aside.about else ""
        yield f"Put aside, and nothing of yours: change {aside.number}{about}, by {aside.written_by}: {aside.why}."
    yield f"Digest of all records: {report.digest}."
    if report.whole:
        yield "The vault is whole."
    elif record_is_whole:
        yield "Everything that was written is whole; attached files are not. You can go on writing."
    else:
        yield "The vault is not whole. Do not write in it before you have restored a backup."


def backup(place: Place, file: Annotated[Path, argument("FILE", "The file to write; one that exists is never written over.")]) -> None:
    """Write one encrypted file with everything in it.

    It is opened once to see that it is whole.
    """
    from storage import backing_up, checking_files

    if not file.parent.is_dir():
        raise NotUnderstood(f"There is no folder {file.parent}. Nothing was written.")
    with place.opened() as opened:
        vault = opened.vault
        size = opened.on_thread(lambda: backing_up.backup(vault.connection, vault.folder, vault.master, file.absolute()))
        whole, sentence = opened.on_thread(lambda: checking_files.look(vault.connection, vault.files, lambda *_: None))
        opened.on_thread(lambda: _remember_backup(opened))
    said = f"Everything is in {file}, {-(-size // 1024):,} KB, encrypted as the vault is; it was opened once and is whole."
    keep = "The passphrase and the recovery words of today open it. Keep it on another disk."
    if not whole:
        output.warn(f"Not in the backup: {sentence}")
    place.tell(BackedUp(str(file.absolute()), size), [said, keep])


def _remember_backup(opened: Open) -> None:
    with opened.vault.transaction() as transaction:
        transaction.dirty = True
        opened.vault.set_fact(BACKUP_FACT, Moment.of(opened.now()).ms.to_bytes(8, "big"))


def restore(place: Place, file: Annotated[Path, argument("FILE", "A backup that leadworker wrote.")]) -> None:
    """Put a backup back into a folder without a vault. It opens with the passphrase of the day of the backup."""
    from storage import backing_up

    try:
        damaged = backing_up.restore(file, place.folder)
    except OSError as error:
        raise DiskTrouble(f"The backup could not be read or written: {error.strerror}. Nothing was restored.") from error
    said = f"The vault is back in {place.folder}. It opens with the passphrase, or the recovery words, of the day of the backup."
    if damaged:
        output.warn(
            f"{say_count(damaged, 'attached file was', 'attached files were')} damaged in the backup and left out. “leadworker check” "
            "names them, and the central store may have them."
        )
    later = "What was sent to the central store since then comes back with the next sync."
    place.tell(Restored(str(place.folder), str(file.absolute())), [said, later])


def passphrase(
    place: Place,
    recovery: Annotated[bool, flag("--recovery", "Open with the recovery words instead of the passphrase.")] = False,
    recovery_file: Annotated[str, option("--recovery-file", "FILE", "A file with the recovery words; else they are asked for.")] = "",
    own_passphrase: Annotated[bool, flag("--own-passphrase", "Type a new passphrase of your own.")] = False,
    new_passphrase_file: Annotated[str, option("--new-passphrase-file", "FILE", "A file with the new passphrase in its first line.")] = "",
    new_recovery_words: Annotated[bool, flag("--new-recovery-words", "Make new recovery words and leave the passphrase.")] = False,
    re_key: Annotated[
        bool, flag("--re-key", "Change the key of everything and the recovery words, too: when the vault may have been copied.")
    ] = False,
) -> None:
    """Change the passphrase, or make new recovery words.

    The new passphrase is generated unless you bring your own. The journal itself is not touched, unless with
    --re-key: then no copy of the old key file opens what is here.
    """
    from leadworker.domain.recovery import read_back
    from storage import slots

    if new_recovery_words and (own_passphrase or new_passphrase_file or re_key):
        raise NotUnderstood("Make new recovery words, or change the passphrase: one at a time. Nothing was changed.")
    opening = place.opened_with_words(_typed_words(recovery_file)) if recovery or recovery_file else place.opened()
    with opening as opened:
        if new_recovery_words:
            last = "Those before open nothing any more. Write these down; they are shown this once."
            slots.new_recovery_words(opened.vault, lambda words: place.hand_over(Opens("", words), [*_recovery(words), last]))
            with contextlib.suppress(LeadworkerError):  # the new words count; at worst it is said once more that nobody has them
                opened.desk.do_now(read_back)
            return
        given = _new(new_passphrase_file) or _own(_typed(place), own_passphrase)
        generated = "" if given else suggest_passphrase()
        if re_key:
            _begin_re_key(place, opened, given, generated)
        else:
            place.hand_over(Opens(generated, ()), _changed(generated))
            slots.change_passphrase(opened.vault, given or generated)
    if re_key:
        _finish_re_key(place, given or generated)


def _begin_re_key(place: Place, opened: Open, given: str, generated: str) -> None:
    from storage import rekeying

    def show(words: tuple[str, ...]) -> None:
        place.hand_over(Opens(generated, words), [*_changed(generated), *_recovery(words)])

    rekeying.begin(opened.vault, given or generated, show)


def _finish_re_key(place: Place, chosen: str) -> None:
    """Opening a vault carries out what was begun; should it be broken off here, the next opening does."""
    from storage import opening

    vault = opening.open_with_passphrase(place.folder, chosen, purpose=place.purpose)
    vault.close()
    output.warn(*vault.notices)
    output.warn("Everything is encrypted with a new key now.")


def _new(file: str) -> str:
    return _judged(secret.first_line(Path(file).expanduser())) if file else ""


def _typed(place: Place) -> Place:
    """The file that opened the vault does not hold the new passphrase."""
    return Place(place.folder, None, as_json=place.as_json, purpose=place.purpose)


def _typed_words(file: str) -> str:
    if file:
        return secret.whole_text(Path(file).expanduser(), "The file with the recovery words")
    return secret.ask("Recovery words: ", "--recovery-file")


def _changed(generated: str) -> Iterator[str]:
    if generated:
        yield f"Your new passphrase: {generated}"
        yield "Write it down; it is shown this once. The one before does not open this vault any more."
    else:
        yield "The new passphrase opens the vault now. The one before does not any more."
    yield (
        "Backups, and any copy of vault.json that somebody made, still open with the passphrase of their day. Where that "
        "matters, “leadworker passphrase --re-key” changes the key as well."
    )
