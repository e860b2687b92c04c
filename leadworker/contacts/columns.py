"""Knows what the columns of a contact sheet are called: Outlook's, Google's (both layouts), and people's own."""

from __future__ import annotations

import re

import msgspec

from leadworker.text import skeleton


class Column(msgspec.Struct, frozen=True):
    """What one column holds. `what` decides how it is read, `label` goes with the value.

    `slot` is the place of a part in an address, or the number in Google's "Phone 2 - Value".
    """

    what: str
    label: str = ""
    slot: int = 0


CALLED_BY = {
    "name",
    "first",
    "last",
    "nickname",
    "company",
    "email",
    "phone",
    "mobile",
    "google:e mail",
    "google:phone",
}
"""A sheet needs at least one of these, else nobody in it could be called anything."""

_NUMBERED = re.compile(
    r"(e mail|email|phone|address|website|im|relation|event|custom field|organization) (\d{1,4}) (label|type|value|"
    r"service|formatted|street|city|po box|region|postal code|country|extended address|name|title|department|"
    r"yomi name|symbol|location|job description)"
)

_SIMPLE: dict[str, tuple[str, ...]] = {
    "name": (
        "name", "full name", "fullname", "display name", "contact", "contact name", "person", "client", "client name",
        "young person", "child", "child s name", "name of child", "name of person", "service user", "names",
    ),
    "file as": ("file as",),
    "first": ("first name", "firstname", "given name", "forename", "forenames", "first", "christian name", "first names"),
    "middle": ("middle name", "middlename", "additional name", "middle names", "middle"),
    "last": ("last name", "lastname", "surname", "family name", "last"),
    "prefix": ("name prefix", "prefix", "salutation"),
    "title": ("title",),
    "suffix": ("suffix", "name suffix"),
    "nickname": (
        "nickname", "nick name", "known as", "preferred name", "likes to be called", "aka", "also known as", "alias",
        "short name", "goes by",
    ),
    "pronouns": ("pronouns", "pronoun", "preferred pronouns"),
    "born": ("birthday", "date of birth", "dob", "d o b", "born", "birth date", "birthdate", "born on"),
    "birth year": ("birth year",),
    "birth month": ("birth month",),
    "birth day": ("birth day",),
    "company": (
        "company", "organisation", "organization", "company name", "organization name", "organisation name", "agency",
        "employer", "org",
    ),
    "department": ("department", "organization department", "dept"),
    "role": (
        "job title", "role", "position", "occupation", "profession", "organization title", "jobtitle", "job",
    ),
    "note": ("notes", "note", "comments", "comment", "remarks", "other information", "further information"),
    "uid": ("uid",),
    "category": ("categories", "category", "labels", "group membership", "groups", "group", "tags"),
    "photo": ("photo", "picture", "photo url"),
    "anniversary": ("anniversary",),
    "display": ("e mail display name", "e mail 2 display name", "e mail 3 display name", "initials"),
    "formal": ("e mail type", "e mail 2 type", "e mail 3 type", "priority", "sensitivity", "private", "gender"),
}  # fmt: skip

_POINTS: dict[tuple[str, str], tuple[str, ...]] = {
    ("email", ""): (
        "e mail address", "email address", "email", "e mail", "mail", "primary email", "e mail 2 address",
        "e mail 3 address", "email 1", "email 2", "email 3", "e mail 1", "e mail 2", "e mail 3", "secondary email",
        "email address 2", "email address 3", "emails", "e mail address 2", "e mail address 3",
    ),
    ("email", "home"): ("home email", "home e mail", "personal email", "personal e mail"),
    ("email", "work"): ("work email", "work e mail", "business email", "business e mail"),
    ("mobile", ""): (
        "mobile", "mobile phone", "mobile number", "mobile no", "mob", "cell", "cell phone", "cellphone", "mobile tel",
        "mobile telephone", "mobile 2", "mobile phone 2", "cell number", "mobile 1",
    ),
    ("mobile", "work"): ("work mobile", "business mobile"),
    ("phone", ""): (
        "phone", "telephone", "tel", "phone number", "telephone number", "phone no", "tel no", "contact number",
        "landline", "primary phone", "phone 1", "phone 2", "phone 3", "telephone 2", "telephone no", "phones",
        "contact no",
    ),
    ("phone", "home"): ("home phone", "home phone 2", "home telephone", "home tel", "home number"),
    ("phone", "work"): (
        "business phone", "business phone 2", "work phone", "work telephone", "work tel", "office phone", "work phone 2",
        "work number",
    ),
    ("phone", "other"): ("other phone",),
    ("phone", "company"): ("company main phone",),
    ("phone", "assistant"): ("assistant s phone",),
    ("phone", "car"): ("car phone",),
    ("phone", "callback"): ("callback",),
    ("phone", "radio"): ("radio phone",),
    ("phone", "textphone"): ("tty tdd phone", "textphone", "minicom"),
    ("other", "fax"): ("fax", "fax number"),
    ("other", "work fax"): ("business fax", "work fax"),
    ("other", "home fax"): ("home fax",),
    ("other", "other fax"): ("other fax",),
    ("other", "pager"): ("pager", "pager number"),
    ("other", "telex"): ("telex",),
    ("other", "ISDN"): ("isdn",),
    ("other", "chat"): ("imaddress", "im address", "screen name", "instant messaging address"),
    ("web", ""): ("web page", "website", "web site", "url", "personal web page", "home page", "homepage", "web page 1", "web page 2"),
}  # fmt: skip

_RELATED: dict[str, tuple[str, ...]] = {
    "spouse": ("spouse", "spouse partner", "partner"),
    "children": ("children",),
    "manager": ("manager s name", "manager"),
    "assistant": ("assistant s name", "assistant"),
    "referred by": ("referred by",),
    "mother": ("mother", "mother s name", "mum"),
    "father": ("father", "father s name", "dad"),
    "parent or carer": ("parent", "carer", "guardian", "parent carer", "parent name", "next of kin"),
}

ADDRESS_SLOTS: dict[int, tuple[str, ...]] = {
    0: ("po box", "address po box", "post office box"),
    1: ("extended address", "flat", "house name", "building"),
    2: (
        "street",
        "address",
        "address 1",
        "address line 1",
        "street address",
        "full address",
        "postal address",
        "addr",
    ),
    3: ("street 2", "address 2", "address line 2"),
    4: ("street 3", "address 3", "address line 3"),
    5: ("city", "town", "locality", "town city", "city town", "address line 4"),
    6: ("state", "county", "region", "province", "state province"),
    7: ("postal code", "postcode", "post code", "zip", "zip code", "zipcode"),
    8: ("country", "country region"),
}
"""The parts of an address in the order in which they are written on an envelope."""

_PLACES = {"": ("",), "home": ("home",), "work": ("business", "work", "office"), "other": ("other",)}

_GOOGLE_SLOTS = {
    "po box": 0, "extended address": 1, "street": 2, "city": 5, "region": 6, "postal code": 7, "country": 8,
}  # fmt: skip


def _all_columns() -> dict[str, Column]:
    columns: dict[str, Column] = {}
    for place, spoken in _PLACES.items():
        for slot, names in ADDRESS_SLOTS.items():
            for name in names:
                for word in spoken:
                    columns[f"{word} {name}".strip()] = Column("address", place, slot)
    for what, names in _SIMPLE.items():
        columns.update(dict.fromkeys(names, Column(what)))
    for (what, label), names in _POINTS.items():
        columns.update(dict.fromkeys(names, Column(what, label)))
    for label, names in _RELATED.items():
        columns.update(dict.fromkeys(names, Column("related", label)))
    return columns


_COLUMNS = _all_columns()


def column(heading: str) -> Column | None:
    """Return what a column of this heading holds, or None where the heading is not known.

    Capitals, accents and punctuation do not count: "E-mail Address" is "e mail address".
    """
    plain = skeleton(heading[:200])
    match = _NUMBERED.fullmatch(plain) if " - " in heading else None  # Outlook has an "E-mail 2 Type" as well
    if match:
        family = "e mail" if match[1] == "email" else match[1]
        return Column(f"google:{family}", match[3].replace("type", "label"), int(match[2]))
    return _COLUMNS.get(plain)


def google_slot(part: str) -> int | None:
    """Return the place of a part of a Google address on the envelope, or None."""
    return _GOOGLE_SLOTS.get(part)


def program_of(headings: list[str]) -> str:
    """Say which program writes these headings, in words: Outlook, Google, or a sheet of somebody's own."""
    plain = {skeleton(heading[:200]) for heading in headings}
    if any(one is not None and one.what.startswith("google:") for one in map(column, headings)):
        return "Google contacts"
    if "e mail address" in plain and plain & {
        "business street",
        "home street",
        "e mail type",
        "e mail 2 address",
    }:
        return "Outlook contacts"
    return "Contact sheet"
