"""Finds the place that a note's first line says: `home`, `at school`, `in the car`, `at 14 Fen Court`."""

from __future__ import annotations

import re

import msgspec

from leadworker.text import one_line
from leadworker.words.lines import TAKEN, Line, word_set


class PlaceFound(msgspec.Struct, frozen=True):
    """A place as a line says it; `keep` asks that the words stay in what is left of the line."""

    start: int
    end: int
    place: str
    certain: bool = True
    keep: bool = False


_PLACES = (
    "home, school, office, court, hospital, prison, custody, custody suite, police station, college, nursery, surgery"
    ", gp, gp surgery, clinic, library, park, café, cafe, car, community centre, youth centre, contact centre"
    ", family centre, children's centre, children's home, placement, foster home, doorstep, gym, church, mosque, temple"
    ", food bank, shelter, hostel, refuge, town centre, ward, health centre, drop-in, reception, garden, youth club"
)
_NAMED = "|".join(re.escape(place.strip()).replace(r"\ ", r"\s+") for place in sorted(_PLACES.split(","), key=len, reverse=True))
_END = r"(?![\w/]|-\w|'s\b)"
_STOPS = (
    r"(?:with|about|re|regarding|to|for|from|then|who|because|and|but|by|as|after|before|during|while|when|where|since"
    r"|she|he|they|we|i|was|were|is|said|says|told|had|has|did|not|no|also)\b"
)
_NOT_A_PLACE = word_set(
    "all risk least last first once times night present it him her them me us that this what each odds loss ease length"
    " large fault stake short some any a an the"
)
_VERB_AT = re.compile(
    r"\b(?:look(?:s|ed|ing)?|shout(?:s|ed|ing)?|laugh(?:s|ed|ing)?|star(?:e|es|ed|ing)|smil(?:e|es|ed|ing)"
    r"|point(?:s|ed|ing)?|threw|throwing|swore|swearing|angry|upset|good|bad|better|worse|cross|annoyed|aimed)\s+\Z"
)
_NOT = re.compile(
    r"'s\s+\Z|\b(?:is|was|are|were|be|been)\s+\Z|\b(?:not|never|no\s+longer|wasn't|isn't|weren't|aren't|don't|won't)\s+(?:\w+\s+)?\Z"
)
_KNOWN = re.compile(rf"(?<![\w@#/'-])(?:at|in|on|@)\s+(?:(?:the|her|his|their|my|our|local)\s+)?({_NAMED}){_END}")
_WORD = rf"(?!{_STOPS})(?!(?:on|in|at)\b)[^\s{TAKEN},;:()!?]+(?:[ ]+|$|(?=[{TAKEN},;:()!?]))"
_FREE = re.compile(rf"(?<![\w@#/'-])(?:at|@)\s+(?=[^\W_])((?:{_WORD}){{1,6}})")
_BARE = re.compile(rf"(?<![\w@#/'-])(?:the\s+)?({_NAMED}){_END}")
_JOINT = re.compile(r"\s+(?:with|about|re|regarding|and|to|for|then|but|w|because|by|as|at)\b|\s*w/")
_WITH_HOME = re.compile(
    r"\s+(?:conditions?|life|school|office|alone|care|tuition|situation|environment|curfew|from|again|late|early|when"
    r"|after|before|education|address|phone|number|help|team|leave|time|schooling)\b"
)


def find_place(line: Line, boundary: int) -> PlaceFound | None:
    """Return the place that `line` says before `boundary`, or None.

    Without `at` a place is read only beside a part already understood: `visit @Keira home`.
    """
    known = _known(line, boundary)
    free = _free(line, boundary)
    if known and (free is None or known.start < free.start or known.end >= free.end):
        return known
    if free:
        return free
    return _bare(line, boundary)


def _known(line: Line, boundary: int) -> PlaceFound | None:
    for match in _KNOWN.finditer(line.open, 0, boundary):
        fits = line.ends(match.end()) or _JOINT.match(line.open, match.end())
        if fits and not _NOT.search(line.open, max(0, match.start() - 24), match.start()):
            return PlaceFound(*match.span(), _plain(match[1]))
    return None


def _free(line: Line, boundary: int) -> PlaceFound | None:
    for match in _FREE.finditer(line.open, 0, boundary):
        reach = max(0, match.start() - 24)
        first = match[1].split()[0]
        only_the = first in ("a", "an", "the") and len(match[1].split()) > 1
        if (first in _NOT_A_PLACE and not only_the) or (first == "her" and len(match[1].split()) > 1):
            continue
        if _VERB_AT.search(line.open, reach, match.start()) or _NOT.search(line.open, reach, match.start()):
            continue
        end = match.start() + len(match[0].rstrip(" .-–"))
        place = one_line(line.typed[match.start(1) : end])
        if place:
            return PlaceFound(match.start(), end, place, certain=len(match[1].split()) < 6)
    return None


def _bare(line: Line, boundary: int) -> PlaceFound | None:
    for match in _BARE.finditer(line.open, 0, boundary):
        if not line.leads(match.start()):
            continue
        if line.ends(match.end()) or _JOINT.match(line.open, match.end()):
            return PlaceFound(*match.span(), _plain(match[1]))
        if match[1] == "home" and not _WITH_HOME.match(line.open, match.end()):
            return PlaceFound(*match.span(), "home", certain=False, keep=True)
    return None


def _plain(place: str) -> str:
    return " ".join(place.split()).replace("cafe", "café")
