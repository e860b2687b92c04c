"""What each property of a vCard says about a person, and the words for those that a record does not hold."""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable
from urllib.parse import unquote

from leadworker.contacts.card import PointKind
from leadworker.contacts.dates import read_date
from leadworker.contacts.gathering import LEAST_PREFERRED, ContactDraft
from leadworker.contacts.lines import ContentLine, decoded
from leadworker.contacts.values import components, listed, unescaped

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}:")
_VENDOR = re.compile(r"^X-(?:MS-OL-|MS-|EVOLUTION-|KADDRESSBOOK-X-|KADDRESSBOOK-|MOZILLA-|ANDROID-)?")

_SAYS_NOTHING = {
    "voice", "pref", "internet", "cell", "mobile", "fax", "pager", "postal", "parcel", "dom", "intl", "msg", "text",
}  # fmt: skip
_ABOUT_THE_FILE = {  # what programs note down for themselves; nothing of it is about the person
    "VERSION", "PRODID", "REV", "CREATED", "CLIENTPIDMAP", "MAILER", "PROFILE", "MEMBER", "X-ABLABEL",
    "X-EVOLUTION-LABEL", "X-ABADR", "X-ABORDER", "X-ABUID", "X-MS-OL-DESIGN", "X-IMAGETYPE", "X-IMAGEHASH",
    "X-MS-OL-DEFAULT-POSTAL-ADDRESS", "X-MS-CARDPICTURE", "X-COUCHDB-APPLICATION-ANNOTATIONS", "X-COUCHDB-UUID",
    "X-SHARED-PHOTO-DISPLAY-PREF", "X-ADDRESSBOOKSERVER-MEMBER", "X-EVOLUTION-WEBDAV-ETAG",
    "X-EVOLUTION-VIDEO-URL", "X-RADICALE-NAME", "X-ETAG", "X-ID",
}  # fmt: skip
_CHATS = {
    "X-AIM": "AIM", "X-ICQ": "ICQ", "X-JABBER": "Jabber", "X-MSN": "MSN", "X-YAHOO": "Yahoo", "X-QQ": "QQ",
    "X-SKYPE": "Skype", "X-SKYPE-USERNAME": "Skype", "X-GTALK": "Google Talk", "X-GOOGLE-TALK": "Google Talk",
    "X-GADUGADU": "Gadu-Gadu", "X-GROUPWISE": "GroupWise", "X-MATRIX": "Matrix", "X-TWITTER": "Twitter",
    "X-MS-IMADDRESS": "chat", "IMPP": "chat",
}  # fmt: skip
_SPOKEN = {
    "FBURL": "address of the free and busy times", "CALURI": "address of a calendar", "GEO": "place on the map",
    "CALADRURI": "address for invitations", "TZ": "time zone", "LANG": "language", "BIRTHPLACE": "place of birth",
    "DEATHPLACE": "place of death", "SOURCE": "source of the card", "GRAMGENDER": "grammatical gender",
    "ORG-DIRECTORY": "directory of the organisation",
}  # fmt: skip
_RELATED = {
    "SPOUSE", "MANAGER", "ASSISTANT", "CHILD", "CHILDREN", "PARTNER", "MOTHER", "FATHER", "SPOUSENAME",
}  # fmt: skip
_SEXES = {"M": "male", "F": "female", "O": "other", "N": "none or not applicable", "U": "not known"}

Reader = Callable[[ContactDraft, ContentLine, str, str], str]
"""Takes the draft, the line, the card's version and the label of its group; returns a problem, or nothing."""


def read_property(draft: ContactDraft, line: ContentLine, version: str, label: str) -> str:
    """Put what `line` says into `draft`; return a sentence if something in the line was not right, else nothing."""
    reader = _READERS.get(line.name)
    if reader is not None and line.encoded and reader is not _say_data:
        try:  # a text in base64 is rare, but it is a text
            line.value = decoded(binascii.a2b_base64(line.value.encode()), line.param("CHARSET"))
        except (binascii.Error, UnicodeEncodeError):
            return "The text of this line is damaged and has not been read."
    if reader is not None:
        return reader(draft, line, version, label) or line.problem
    if line.name not in _ABOUT_THE_FILE:
        _say_unknown(draft, line, version, label)
    return line.problem


def preference(line: ContentLine) -> int:
    """How much the file prefers this one: 1 most, `LEAST_PREFERRED` not at all."""
    order = line.param("PREF")
    if order.isascii() and order.isdigit():
        return max(1, min(int(order[:4]), LEAST_PREFERRED - 1))
    return 1 if "pref" in line.types() else LEAST_PREFERRED


def _label(line: ContentLine, label: str) -> str:
    if label:
        return label
    return " ".join(word.removeprefix("x-") for word in line.types() if word not in _SAYS_NOTHING)


def _read_full_name(draft: ContactDraft, line: ContentLine, version: str, label: str) -> str:
    if line.param("PHONETIC"):
        draft.leave_out(f"how the name is said: {unescaped(line.value, version)}")
    else:
        draft.add_name(unescaped(line.value, version))
    return ""


def _read_name_parts(draft: ContactDraft, line: ContentLine, version: str, label: str) -> str:
    family, given, middle, prefix, suffix = components(line.value, version, 5)[:5]
    if line.param("PHONETIC"):
        draft.leave_out(f"how the name is said: {given} {family}")
    else:
        draft.add_name_parts(given, middle, family, prefix, suffix)
    return ""


def _read_nicknames(draft: ContactDraft, line: ContentLine, version: str, label: str) -> str:
    for name in listed(line.value, version):
        draft.add_known_as(name)
    return ""


def _read_pronouns(draft: ContactDraft, line: ContentLine, version: str, label: str) -> str:
    draft.add_pronouns(unescaped(line.value, version))
    return ""


def _read_birthday(draft: ContactDraft, line: ContentLine, version: str, label: str) -> str:
    written = unescaped(line.value, version).strip()
    omitted = line.param("X-APPLE-OMIT-YEAR")
    if omitted and written.startswith(omitted):
        written = "--" + written[len(omitted) :].lstrip("-")
    draft.add_birthday(read_date(written))
    return ""


def _read_other_date(draft: ContactDraft, line: ContentLine, version: str, label: str) -> str:
    names = {"DEATHDATE": "date of death", "X-ABDATE": label.lower() or "another date"}
    what = names.get(line.name, "anniversary")
    draft.leave_out_date(what, read_date(unescaped(line.value, version), what=what))
    return ""


def _read_telephone(draft: ContactDraft, line: ContentLine, version: str, label: str) -> str:
    number = unescaped(line.value, version).strip()
    if number[:4].lower() == "tel:":
        number, *rest = unquote(number[4:]).split(";")
        extension = next((part[4:] for part in rest if part.lower().startswith("ext=")), "")
        number += f" ext. {extension}" if extension else ""
    words = line.types()
    kind: PointKind = "phone"
    if "fax" in words or "pager" in words:
        kind = "other"
        kept = _label(line, label)
        label = f"{kept} {'fax' if 'fax' in words else 'pager'}".strip()
    elif words & {"cell", "mobile", "x-mobile"} or label.lower() in ("mobile", "cell", "iphone"):
        kind = "mobile"
    draft.add_point(kind, number, _label(line, label), preference(line))
    return ""


def _read_email(draft: ContactDraft, line: ContentLine, version: str, label: str) -> str:
    address = unescaped(line.value, version).strip()
    if address[:7].lower() == "mailto:":
        address = unquote(address[7:]).partition("?")[0]
    draft.add_point("email", address, _label(line, label), preference(line))
    return ""


def _read_address(draft: ContactDraft, line: ContentLine, version: str, label: str) -> str:
    parts = components(line.value, version, 18)
    if not parts[2]:  # RFC 9554 can split a street into rooms, floors, numbers and names
        street = " ".join(part for part in (parts[10], parts[11]) if part)
        parts[2] = ", ".join(part for part in (parts[7], parts[8], parts[9], parts[12], street) if part)
    written = ", ".join(part for part in parts[:7] if part)
    printed = ", ".join(unescaped(line.param("LABEL")).splitlines())
    if not written:
        written, printed = printed, ""
    draft.add_point("address", written, _label(line, label), preference(line))
    draft.leave_out_unless_known("address as printed", printed)
    if line.param("GEO"):
        draft.leave_out(f"place on the map: {line.param('GEO')}")
    return ""


def _read_printed_address(draft: ContactDraft, line: ContentLine, version: str, label: str) -> str:
    lines = (one.strip(" ,") for one in unescaped(line.value, version).splitlines())
    printed = ", ".join(one for one in lines if one)
    if draft.has_address:
        draft.leave_out_unless_known("address as printed", printed)
    else:
        draft.add_point("address", printed, _label(line, label), preference(line))
    return ""


def _read_web(draft: ContactDraft, line: ContentLine, version: str, label: str) -> str:
    service = line.param("SERVICE-TYPE") or line.param("X-SERVICE-TYPE")
    if line.name.endswith("SOCIALPROFILE"):
        label = service or _label(line, label) or "social profile"
    value = unescaped(line.value, version)
    kind: PointKind = "web" if "." in value or "//" in value else "other"
    draft.add_point(kind, value, _label(line, label), preference(line))
    return ""


def _read_chat(draft: ContactDraft, line: ContentLine, version: str, label: str) -> str:
    value = unescaped(line.value, version).strip()
    scheme = _SCHEME.match(value)
    service = line.param("X-SERVICE-TYPE") or line.param("SERVICE-TYPE") or _CHATS[line.name]
    if scheme:
        value = value[scheme.end() :]
        service = scheme.group()[:-1].lower() if service == "chat" else service
    draft.add_point("other", value, label or service, preference(line))
    return ""


def _read_organisation(draft: ContactDraft, line: ContentLine, version: str, label: str) -> str:
    name, *units = components(line.value, version, 1)
    draft.add_organisation(name, ", ".join(unit for unit in units if unit))
    return ""


def _read_role(draft: ContactDraft, line: ContentLine, version: str, label: str) -> str:
    draft.add_role(unescaped(line.value, version))
    return ""


def _read_note(draft: ContactDraft, line: ContentLine, version: str, label: str) -> str:
    draft.add_note(unescaped(line.value, version))
    return ""


def _read_uid(draft: ContactDraft, line: ContentLine, version: str, label: str) -> str:
    if not draft.uid:
        draft.uid = draft.short(unescaped(line.value, version).strip().removeprefix("urn:uuid:"), "id")
    return ""


def _say_categories(draft: ContactDraft, line: ContentLine, version: str, label: str) -> str:
    for name in line.value.split(",") if version == "2.1" else listed(line.value, version):
        if name.strip():
            draft.leave_out(f"category: {name.strip()}")
    return ""


def _say_related(draft: ContactDraft, line: ContentLine, version: str, label: str) -> str:
    kind = label or _label(line, "")
    if not kind and line.name not in ("RELATED", "X-ABRELATEDNAMES", "AGENT"):
        kind = _plain_name(line.name).capitalize()
    who = unescaped(line.value, version).strip().removeprefix("urn:uuid:")
    if line.name == "AGENT":
        kind = "agent"
    if who:
        draft.leave_out(f"related person: {who[:150]}" + (f" ({kind})" if kind else ""))
    return ""


def _say_kind(draft: ContactDraft, line: ContentLine, version: str, label: str) -> str:
    kind = unescaped(line.value, version).strip().lower()
    if kind not in ("", "individual", "group", "person"):
        draft.leave_out("the file calls this an organisation" if kind in ("org", "company") else f"kind of card: {kind}")
    return ""


def _say_gender(draft: ContactDraft, line: ContentLine, version: str, label: str) -> str:
    sex, _, words = unescaped(line.value, version).partition(";")
    said = ", ".join(part.strip() for part in (_SEXES.get(sex.strip().upper(), sex), words) if part.strip())
    draft.leave_out(f"gender: {said}" if said else "")
    return ""


def _say_data(draft: ContactDraft, line: ContentLine, version: str, label: str) -> str:
    """A photo, a logo, a sound or a key: how large it is, or where it is kept."""
    what = {"PHOTO": "a photo", "LOGO": "a logo", "SOUND": "a sound"}.get(line.name, "a key")
    value = line.value
    encoded = line.encoded
    if value[:5].lower() == "data:":
        head, _, value = value.partition(",")
        encoded = head.lower().endswith("base64")
    elif not encoded and len(value) > 200 and not _SCHEME.match(value):
        encoded = True  # some programs forget to say so
    if not encoded:
        draft.leave_out(f"{what} kept at {unescaped(value, version)}" if value.strip() else "")
        return ""
    value = "".join(value.split())
    try:
        draft.leave_out(f"{what} of {_size(len(binascii.a2b_base64(value.encode(), strict_mode=True)))}")
    except (binascii.Error, UnicodeEncodeError):
        draft.leave_out(f"{what} of about {_size(len(value) * 3 // 4)}, damaged or cut short in the file")
        return f"The data of {what} is damaged or cut short; the rest of the card has been read."
    return ""


def _size(count: int) -> str:
    if count < 1_000:
        return f"{count} bytes"
    return f"{round(count / 1_000)} KB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"


def _read_android(draft: ContactDraft, line: ContentLine, version: str, label: str) -> str:
    what, *values = components(line.value, version, 4)
    sort = what.rpartition("/")[2]
    if sort == "nickname":
        draft.add_known_as(values[0])
    elif sort == "relation":
        draft.leave_out(f"related person: {values[0][:150]}" + (f" ({values[2]})" if values[2] else ""))
    elif sort == "contact_event" and values[1] == "3":
        draft.add_birthday(read_date(values[0]))
    elif sort == "contact_event":
        name = "anniversary" if values[1] == "1" else values[2] or "another date"
        draft.leave_out_date(name, read_date(values[0], what=name))
    elif any(values):
        draft.leave_out(f"{sort.replace('_', ' ')}: {', '.join(value for value in values if value)}")
    return ""


def _say_unknown(draft: ContactDraft, line: ContentLine, version: str, label: str) -> None:
    value = unescaped(line.value[:400], version).strip()
    if line.encoded:
        value = f"data of {_size(len(line.value) * 3 // 4)}"
    name = _plain_name(line.name)
    if name.upper().replace(" ", "") in _RELATED:
        _say_related(draft, line, version, label)
    elif value and (name, value.lower()) != ("class", "public"):
        draft.leave_out(f"{label.lower() or name}: {value}")


def _plain_name(name: str) -> str:
    if name in _SPOKEN:
        return _SPOKEN[name]
    return _VENDOR.sub("", name).replace("-", " ").replace("_", " ").lower() or name.lower()


def _say_file_as(draft: ContactDraft, line: ContentLine, version: str, label: str) -> str:
    draft.leave_out_unless_known("filed as", unescaped(line.value, version).replace(";", " "))
    return ""


_READERS: dict[str, Reader] = {
    "FN": _read_full_name,
    "N": _read_name_parts,
    "NICKNAME": _read_nicknames,
    "X-NICKNAME": _read_nicknames,
    "PRONOUNS": _read_pronouns,
    "X-PRONOUNS": _read_pronouns,
    "X-PRONOUN": _read_pronouns,
    "BDAY": _read_birthday,
    "ANNIVERSARY": _read_other_date,
    "X-ANNIVERSARY": _read_other_date,
    "X-MS-ANNIVERSARY": _read_other_date,
    "X-EVOLUTION-ANNIVERSARY": _read_other_date,
    "X-KADDRESSBOOK-X-ANNIVERSARY": _read_other_date,
    "X-ABDATE": _read_other_date,
    "DEATHDATE": _read_other_date,
    "TEL": _read_telephone,
    "EMAIL": _read_email,
    "ADR": _read_address,
    "LABEL": _read_printed_address,
    "URL": _read_web,
    "CONTACT-URI": _read_web,
    "SOCIALPROFILE": _read_web,
    "X-SOCIALPROFILE": _read_web,
    **dict.fromkeys(_CHATS, _read_chat),
    "ORG": _read_organisation,
    "TITLE": _read_role,
    "ROLE": _read_role,
    "NOTE": _read_note,
    "UID": _read_uid,
    "CATEGORIES": _say_categories,
    "RELATED": _say_related,
    "X-ABRELATEDNAMES": _say_related,
    "AGENT": _say_related,
    "KIND": _say_kind,
    "X-ADDRESSBOOKSERVER-KIND": _say_kind,
    "X-ABSHOWAS": _say_kind,
    "GENDER": _say_gender,
    "X-GENDER": _say_gender,
    "PHOTO": _say_data,
    "LOGO": _say_data,
    "SOUND": _say_data,
    "KEY": _say_data,
    "X-ANDROID-CUSTOM": _read_android,
    "SORT-STRING": _say_file_as,
    "X-EVOLUTION-FILE-AS": _say_file_as,
    "X-FILE-AS": _say_file_as,
}
