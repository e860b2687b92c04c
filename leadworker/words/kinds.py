"""The kinds of entry that a worker writes, and the words by which a line names them.

A word counts as the kind of the entry only near the start of the line: `call @Sam about the school letter`
is a phone call, not a school entry and not a letter.
"""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

from leadworker.words.lines import TAKEN, Line, word_set


class EntryKind(StrEnum):
    """What kind of contact or writing an entry is. The values are kept in records; `said` is for people."""

    visit = "visit"
    phone = "phone"
    video = "video"
    text_message = "text_message"
    email = "email"
    letter = "letter"
    meeting = "meeting"
    office = "office"
    school = "school"
    court = "court"
    duty = "duty"
    observation = "observation"
    direct_work = "direct_work"
    consultation = "consultation"
    admin = "admin"
    note = "note"

    @property
    def said(self) -> str:
        """Return the kind as a person reads it: `Phone call`, `Direct work`."""
        return _SAID.get(self.value) or self.value.capitalize()


_SAID = {
    "phone": "Phone call",
    "video": "Video call",
    "text_message": "Text message",
    "direct_work": "Direct work",
}


class KindFound(msgspec.Struct, frozen=True):
    """The kind that a line names. `place` is a place that the same words say (`hv`: home); `keep` keeps the words."""

    start: int
    end: int
    kind: EntryKind
    certain: bool
    place: str
    keep: bool


def _words(kind: EntryKind, words: str, place: str = "", keep: bool = False) -> dict[str, tuple[EntryKind, str, bool]]:
    return {word.strip(): (kind, place, keep) for word in words.split(",")}


_K = EntryKind
_KIND_OF: dict[str, tuple[EntryKind, str, bool]] = {
    **_words(_K.visit, "visit, visits, visited, visiting, popped in, popped round, called round, dropped in"),
    **_words(_K.visit, "joint visit, statutory visit, stat visit, unannounced visit, duty visit", keep=True),
    **_words(_K.visit, "home visit, home visited, home-visit, hv, h/v", "home"),
    **_words(_K.visit, "prison visit", "prison"),
    **_words(_K.visit, "hospital visit", "hospital"),
    **_words(_K.visit, "doorstep visit", "doorstep"),
    **_words(_K.phone, "phone, phoned, phoning, phone call, phone-call, phonecall, telephone, telephoned"),
    **_words(
        _K.phone,
        "telephone call, tel, tel call, t/c, tc, p/c, call, calls, called, calling, rang, ring, rung",
    ),
    **_words(_K.phone, "whatsapp call, rang back, called back, voicemail, voice mail, missed call", keep=True),
    **_words(_K.video, "video, video call, video-call, teams call, zoom, zoom call, zoomed, facetime, facetimed"),
    **_words(_K.video, "whatsapp video"),
    **_words(_K.text_message, "text, texts, texted, texting, text message, txt, sms, msg, message, messages"),
    **_words(_K.text_message, "messaged, whatsapp, whatsapped"),
    **_words(_K.email, "email, emails, emailed, emailing, e-mail, e-mailed"),
    **_words(_K.letter, "letter, wrote to, letter to"),
    **_words(_K.letter, "letter from", keep=True),
    **_words(_K.meeting, "meeting, mtg, met"),
    **_words(
        _K.meeting,
        "core group, team meeting, network meeting, strategy meeting, strategy discussion",
        keep=True,
    ),
    **_words(_K.meeting, "professionals meeting, planning meeting, panel, panel meeting, conference", keep=True),
    **_words(
        _K.meeting,
        "case conference, child protection conference, cp conference, review conference, family group conference",
        keep=True,
    ),
    **_words(_K.meeting, "fgc, taf, tac, marac, lac review, cla review", keep=True),
    **_words(_K.office, "office, office visit, office appointment, office appt"),
    **_words(_K.school, "school, school visit"),
    **_words(_K.court, "court"),
    **_words(
        _K.court,
        "court hearing, hearing, youth court, crown court, family court, magistrates court",
        keep=True,
    ),
    **_words(_K.duty, "duty"),
    **_words(_K.duty, "duty call, duty desk", keep=True),
    **_words(_K.observation, "observation, observed, observing, obs"),
    **_words(_K.direct_work, "direct work, session, keywork, key work, keywork session, key work session"),
    **_words(_K.direct_work, "1:1, 1-1, 1-2-1, 121, one to one, one-to-one"),
    **_words(_K.direct_work, "life story work", keep=True),
    **_words(_K.consultation, "consultation, consult, consulted"),
    **_words(_K.admin, "admin, paperwork, filing"),
    **_words(_K.note, "note, notes, case note, file note, jotting, thought"),
    **_words(_K.visit, "saw"),
}

_MAYBE = frozenset({"saw", "met", "called", "thought", "ring", "calls", "visits", "messages", "texts", "emails", "notes"})
"""Words that mean other things as often; only at the very start of a line are they taken as said."""

_ASKED = frozenset({"saw", "met", "thought"})
"""Words that always leave a question: a meeting or a chance meeting? a visit or a glimpse?"""

_DEEDS = word_set("visited phoned telephoned rang texted emailed e-mailed messaged whatsapped zoomed facetimed")
"""What somebody did: one word for who may stand before it, `mum rang`."""

_NAMES_OF_PLACES = frozenset({"school", "court", "office", "duty", "letter", "note", "session", "video", "panel", "text"})
"""Words that begin other things too: school report, court order, duty rota."""

_BEFORE_KIND = word_set(
    "a an the i we my our quick long short brief joint planned unplanned unannounced announced missed failed attempted"
    " tried return follow-up followup first second third last final introductory weekly monthly another good difficult"
    " virtual team statutory stat welfare duty out-of-hours incoming outgoing conference attended received rec'd had did made took got"
)

_AROUND = re.compile(r"[^\W_][\w'/:-]*")
_KIND = re.compile(
    r"(?<![\w@#/'-])(?:"
    + "|".join(re.escape(word).replace(r"\ ", r"\s+") for word in sorted(_KIND_OF, key=len, reverse=True))
    + r")(?![\w/]|-\w|'s\b)"
)
_JOINT_AFTER = re.compile(r"\s+(?:with|at|re|about|regarding|in|for|from|to|by|on|and|w|then|but)\b|\s*[@w]/")
_BLOCKED_BY = word_set("about re for from to of after before at in his her their no not next by on and with or")


def find_kind(line: Line, boundary: int) -> KindFound | None:
    """Return the kind that stands near the start of `line`, before `boundary` (where the talk begins), or None."""
    for match in _KIND.finditer(line.open, 0, boundary):
        word = " ".join(match[0].split())
        kind, place, keep = _KIND_OF[word]
        before = _AROUND.findall(line.open[: match.start()].replace(TAKEN, " "))
        known = all(other in _BEFORE_KIND for other in before)
        if before and (before[-1] in _BLOCKED_BY or (not known and word in _MAYBE | _NAMES_OF_PLACES)):
            continue
        if len(before) > 2:
            return None
        certain = word not in _ASKED
        if word in _NAMES_OF_PLACES and not line.ends(match.end()) and not _JOINT_AFTER.match(line.open, match.end()):
            certain, keep = False, True
        if before:
            keep = True
            certain = certain and ((known and word not in _MAYBE) or (len(before) == 1 and word in _DEEDS))
        return KindFound(match.start(), match.end(), kind, certain, place, keep or not certain)
    return None
