"""How files read in a list and under an entry."""

from __future__ import annotations

from leadworker.domain.attachments import AttachmentView, size_words
from leadworker.words.saying import say_count


def file_words(files: tuple[AttachmentView, ...]) -> str:
    """Return an entry's files in words: ``1 file: scan.pdf, 340 KB, here``."""
    said = "; ".join(f"{file.name}, {size_words(file.size)}, {file.whereabouts()}" for file in files)
    return f"{say_count(len(files), 'file', 'files')}: {said}"


def fact_words(file: AttachmentView) -> str:
    """Return what stands beside a file's name in a list."""
    return f"{file.kind_said()}, {size_words(file.size)}, {file.whereabouts()}"
