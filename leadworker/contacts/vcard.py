"""Reads vCard files (2.1, 3.0, 4.0, mixed and broken) into contact cards.

One broken card never takes another with it: every card that has anything to be called by comes through, and
each line that could not be read is reported.
"""

from __future__ import annotations

from collections.abc import Iterator

from leadworker.contacts.card import ContactCard, Unread, excerpt
from leadworker.contacts.gathering import ContactDraft
from leadworker.contacts.lines import ContentLine, content_lines
from leadworker.contacts.properties import preference, read_property
from leadworker.contacts.values import group_label, unescaped

_NO_END = "This card has no END:VCARD line, so its end may be missing. What was there has been read."
_NO_NAME = "This card has no name, organisation, e-mail address or telephone number to call anybody by."
_OUTSIDE = "This line stands outside any card."
_FIRST_LINES = {"VERSION", "PRODID", "UID", "REV"}
_PREFERRED_FIRST = {"FN": 0, "N": 1, "NICKNAME": 2, "PRONOUNS": 3}
_STRAY_END = "This card ends without having begun."


class _OpenCard:
    """A card of which the BEGIN line was seen; its properties wait until all labels of its groups are known."""

    def __init__(self, begin: ContentLine) -> None:
        self.begin = begin
        self.properties: list[ContentLine] = []

    def version(self) -> str:
        """What the card says of itself, or empty; looks through all its lines."""
        return next((one.value.strip() for one in self.properties if one.name == "VERSION"), "")

    @property
    def shown(self) -> str:
        """What the card is called, or the first thing that it says, for a person who looks for it in the file."""
        named = next((one.text for one in self.properties if one.name in ("FN", "N")), "")
        return excerpt(named or next((one.text for one in self.properties if one.name not in _FIRST_LINES), ""))

    @property
    def awaits_an_agent(self) -> bool:
        """Whether the last property is an AGENT of 2.1, whose value is a whole card on the lines that follow."""
        return bool(self.properties) and self.properties[-1].name == "AGENT" and not self.properties[-1].value.strip()


def read_vcards(text: str) -> tuple[tuple[str, ...], list[ContactCard], list[Unread]]:
    """Return the versions that were met, the cards and what could not be read, in the order of the file.

    `text` is the whole file, decoded with ``surrogateescape`` where its bytes are not all UTF-8. Never raises.
    """
    versions: dict[str, None] = {}
    cards: list[ContactCard] = []
    unread: list[Unread] = []
    for card in _cards(text, unread):
        version = card.version()
        versions[version] = None
        made = _made(card, version, unread)
        if made is not None:
            cards.append(made)
    unread.sort(key=lambda one: one.line)
    return tuple(version for version in versions if version in ("2.1", "3.0", "4.0")), cards, unread


def _cards(text: str, unread: list[Unread]) -> Iterator[_OpenCard]:
    card: _OpenCard | None = None
    in_agent = False  # inside the card of somebody's agent, which stands inside theirs
    other = ""  # the name of a part that is no card: a calendar, say
    for line in content_lines(text):
        what = line.value.strip().upper() if line.name in ("BEGIN", "END") else ""
        if what == "VCARD" and line.name == "BEGIN":
            other = ""
            if card is not None and card.awaits_an_agent and not in_agent:
                in_agent = True
                continue
            if card is not None:
                unread.append(Unread(card.begin.line, _NO_END, card.shown))
                yield card
            card, in_agent = _OpenCard(line), False
        elif what == "VCARD":
            other = ""
            if card is None:
                unread.append(Unread(line.line, _STRAY_END))
            elif not in_agent:
                yield card
                card = None
            in_agent = False
        elif other:
            other = "" if line.name == "END" and what == other else other
        elif line.name == "BEGIN":
            other = what
            unread.append(Unread(line.line, f"A part called {excerpt(what)} is no contact.", excerpt(line.text)))
        elif card is None or not line.name:
            unread.append(Unread(line.line, line.problem or _OUTSIDE, excerpt(line.text)))
        elif not in_agent:
            card.properties.append(line)
        elif line.name == "FN":
            card.properties[-1].value = line.value
    if card is not None:
        unread.append(Unread(card.begin.line, _NO_END, card.shown))
        yield card


def _made(card: _OpenCard, version: str, unread: list[Unread]) -> ContactCard | None:
    """Make the card of one person; None, with the reason in `unread`, where nobody can be made of it."""
    labels = {
        one.group.casefold(): group_label(one) for one in card.properties if one.group and one.name in ("X-ABLABEL", "X-EVOLUTION-LABEL")
    }
    draft = ContactDraft(card.begin.line)
    for line in sorted(card.properties, key=_reading_order):
        problem = read_property(draft, line, version, labels.get(line.group.casefold(), "") if line.group else "")
        if problem:
            unread.append(Unread(line.line, problem, excerpt(line.text)))
    made = draft.finished()
    if made is None:
        unread.append(Unread(card.begin.line, _NO_NAME, card.shown))
        return None
    if _is_a_group(card):
        members = sum(1 for one in card.properties if one.name in ("MEMBER", "X-ADDRESSBOOKSERVER-MEMBER"))
        reason = f"This card is a list of {members} people, not a person, so nobody was made of it."
        unread.append(Unread(card.begin.line, reason, excerpt(made.name)))
        return None
    return made


def _is_a_group(card: _OpenCard) -> bool:
    return any(
        one.name in ("KIND", "X-ADDRESSBOOKSERVER-KIND") and unescaped(one.value).strip().lower() == "group" for one in card.properties
    )


def _reading_order(line: ContentLine) -> tuple[int, int]:
    """Names first, the preferred one before the others, so that their parts can be compared; printed addresses last."""
    if line.name in _PREFERRED_FIRST:
        return _PREFERRED_FIRST[line.name], preference(line)
    return (5, 0) if line.name == "LABEL" else (4, 0)
