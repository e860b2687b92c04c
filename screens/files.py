"""Files of a person's record: put one in, sealed, and write one out in clear where its owner wants it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from leadworker.domain import attachments
from leadworker.domain.attachments import AttachmentView, size_words
from leadworker.domain.journal import EntryView
from leadworker.errors import NotUnderstood
from screens.base import Shell
from screens.filewords import fact_words
from screens.form import FieldOf, Form
from screens.lines import hang
from screens.plain import Content, Tone, join, plain, run_on, single


def open_file(shell: Shell, file: AttachmentView) -> None:
    """Ask where a file is to be written, or have one fetched that is not here."""
    if file.here and not file.trouble:
        shell.push_screen(SaveFileForm(file))
    elif file.stored:
        shell.write(_want(shell, file))
    elif file.trouble:
        shell.say(file.trouble, "warning", 20)
    else:
        shell.say(f"{file.name} is still {file.whereabouts()}. Its record came first; it follows when that laptop syncs.", "warning", 12)


async def _want(shell: Shell, file: AttachmentView) -> None:
    await shell.desk.do(attachments.want, file.id)
    shell.say(f"{file.name} is fetched with the next sync.")


class AttachForm(Form):
    """Asks which file to put in."""

    def __init__(self, person_id: str, person_name: str, entry: EntryView | None = None) -> None:
        """`entry`: the one that the file belongs to; without it the file stands by itself."""
        super().__init__()
        self._person_id, self._person_name, self._entry = person_id, person_name, entry

    def draft_key(self) -> str:
        """Return a name for each person's own form."""
        return f"attach {self._entry.id if self._entry else self._person_id}"

    def heading(self) -> Content:
        """Say with what the file is put."""
        entry = self._entry
        about = f"“{entry.title or entry.seen or entry.noticed or entry.said}”" if entry else ""
        words = run_on([single(self._person_name, Tone.STRONG), single(about, Tone.MUTED)])
        title = plain(f"Put a file with {'this entry' if entry else 'the record'}", Tone.STRONG)
        return plain("\n").join([title, *hang(plain(""), words, max(self.app.size.width - 6, 20))])

    def fields(self) -> Iterable[FieldOf]:
        """Ask for the file, and what to call it."""
        yield FieldOf("file", "Which file", "", "~/Documents/scan.pdf")
        yield FieldOf("name", "Call it", "", "as the file is called")

    def hint(self) -> Content:
        """Say what becomes of the file itself."""
        return plain(
            "It is sealed into the vault, 25 MB at most. The file itself stays where it is, in clear: take it away if it should not "
            "lie about.",
            Tone.MUTED,
        )

    async def save(self, values: Mapping[str, str]) -> str:
        """Seal it into the vault."""
        source = path_of(values["file"], "Which file? Write its whole path. Nothing was attached.")
        entry_id = self._entry.id if self._entry else ""
        made = await self.desk.attach(self._person_id, source, entry_id=entry_id, name=values["name"].strip())
        file = await self.desk.ask(attachments.attachment, made)
        return f"{file.name}, {size_words(file.size)}, is kept, sealed."


class SaveFileForm(Form):
    """Asks where a file is to be written in clear, and makes sure."""

    def __init__(self, file: AttachmentView) -> None:
        super().__init__()
        self._file = file
        self._warned_of = ""

    def draft_key(self) -> str:
        """Return a name for each file's own form."""
        return f"save file {self._file.id}"

    def heading(self) -> Content:
        """Say which file it is."""
        name = join(plain("Write this file outside the vault", Tone.STRONG), "\n", single(self._file.name, Tone.STRONG))
        return join(name, "  ", plain(fact_words(self._file), Tone.MUTED))

    def fields(self) -> Iterable[FieldOf]:
        """Ask where to; the sender's own name for it is never taken for a path."""
        yield FieldOf("where", "Where to", "", "~/Desktop/letter.pdf")

    def hint(self) -> Content:
        """Say what it means."""
        return plain("There it is in clear: whoever gets at it can read it, and leadworker cannot take it back.", Tone.LATE)

    async def save(self, values: Mapping[str, str]) -> str:
        """Write it, the second time that it is asked for."""
        target = path_of(values["where"], "Where to? Write a whole path. Nothing was written.")
        if self._warned_of != str(target):
            self._warned_of = str(target)
            raise NotUnderstood(f"Nothing was written yet. Ctrl+S once more writes it, in clear, to {target}.")
        await self.desk.save_file(self._file.id, target)
        return f"It is in {target} now, in clear. Take it away when it has done its work."


def path_of(typed: str, otherwise: str) -> Path:
    """Return the path that somebody typed, from the root on; raise `NotUnderstood` with these words for none."""
    given = typed.strip()
    if not given:
        raise NotUnderstood(otherwise)
    try:
        return Path(given).expanduser().absolute()
    except RuntimeError:  # a home that nobody knows
        raise NotUnderstood(otherwise) from None
