"""Contact files come in as people's phones and mail programs write them, broken ones too.

Sample files of invented people are in `contact_files`; files by other programs are read too where they stand
beside the checkout.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from leadworker.contacts import ContactCard, ContactPoint, Reading, read_contacts
from leadworker.contacts.dates import day_order, read_date

SAMPLES = Path(__file__).parent / "contact_files"
BY_OTHERS = Path(__file__).resolve().parents[1].parent / "shared" / "samples" / "contacts"


def read(name: str) -> Reading:
    return read_contacts((SAMPLES / name).read_bytes(), name)


def card(*lines: str, version: str = "3.0") -> ContactCard:
    text = "\r\n".join(["BEGIN:VCARD", f"VERSION:{version}", *lines, "END:VCARD", ""])
    reading = read_contacts(text.encode())
    assert len(reading.cards) == 1, reading.unread
    return reading.cards[0]


def sheet(text: str) -> tuple[ContactCard, ...]:
    return read_contacts(text.encode(), "sheet.csv").cards


def points(one: ContactCard) -> list[tuple[str, str, str]]:
    return [(point.kind, point.value, point.label) for point in one.points]


# vCard


def test_a_phones_card_keeps_names_numbers_note_and_says_what_it_leaves_out() -> None:
    reading = read("phone.vcf")
    assert (reading.format, reading.encoding, reading.unread) == ("vCard 3.0", "UTF-8", ())
    keira = reading.cards[0]
    assert keira.name == "Keira Okafor-Lane"
    assert keira.known_as == ("Keira Grace Okafor-Lane", "KeeKee", "Kei")
    assert (keira.pronouns, keira.born_on) == ("she/her", "--05-03")
    assert keira.uid == "7d1c6b7e-1b1c-4f0e-9a55-c0ffee000001"
    assert points(keira) == [
        ("phone", "07700 900118", "Nan’s phone"),
        ("mobile", "+44 7700 900117", ""),
        ("other", "0113 496 0117", "home fax"),
        ("email", "keira@example.org", "home"),
        ("address", "Flat 2, 12 Mill Lane, Harrow Green, West Riding, HG4 2ZZ, United Kingdom", "home"),
        ("web", "https://example.org/keira", "HomePage"),
        ("web", "https://example.org/@keira", "twitter"),
    ]
    assert keira.note == "Knock twice, the bell is broken.\nLikes: drawing; football\nPath: C:\\notes"
    assert set(keira.left_out) == {
        "a photo of 32 KB",
        "anniversary 2019-09-02",
        "related person: Denise Lane (Mother)",
        "related person: Tariq (stepdad, moved out)",
        "category: School",
        "category: Mill Lane, both sides",
        "title before the name: Miss",
    }


def test_a_card_without_a_persons_name_is_called_by_its_organisation() -> None:
    centre = read("phone.vcf").cards[1]
    assert (centre.name, centre.organisation) == (
        "Harrow Green Youth Centre",
        "Harrow Green Youth Centre, Front desk",
    )
    assert "the file calls this an organisation" in centre.left_out
    assert card("EMAIL:ann@example.org", "TEL:0113 496 0100").name == "ann@example.org"
    assert card("TEL;TYPE=CELL:07700 900100").name == "Name not known, 07700 900100", "nobody is called by a number"


def test_version_4_with_preferred_names_pronouns_and_telephone_addresses() -> None:
    reading = read("version4.vcf")
    sam, bank = reading.cards
    assert (sam.name, sam.known_as) == ("Sam Haddad", ("Samir Haddad", "Sammy"))
    assert sam.pronouns == "they/them"
    assert sam.born_on == ""
    assert points(sam)[:5] == [
        ("phone", "+44-113-496-0142 ext. 12", "home"),
        ("mobile", "+44-7700-900142", ""),
        ("phone", "0113 496 0143", "textphone"),
        ("email", "sam@example.org", "work"),
        ("other", "sam@chat.example.org", "xmpp"),
    ]
    assert ("other", "nobody at example", "e-mail as written") in points(sam)
    assert ("address", "Flat 1, 7 Weir Street, Harrow Green, HG4 1AB", "home") in points(sam)
    for said in (
        "birthday as written: about 2009, in the spring",
        "gender: other, non-binary",
        "language: ar",
        "related person: Rania Haddad (parent)",
        "other pronouns: he/him",
        "a photo of 70 bytes",
    ):
        assert said in sam.left_out
    assert bank.name == "Harrow Green Food Bank"
    group = reading.unread[0]
    assert (group.line, group.excerpt) == (30, "The Haddads")
    assert "2 people" in group.reason


def test_an_old_phones_file_with_quoted_printable_and_three_codings() -> None:
    reading = read("old-phone.vcf")
    zoe, ines, sean = reading.cards
    assert reading.unread == ()
    assert (zoe.name, zoe.known_as, zoe.born_on) == ("Zoë Łuczak", ("Zo",), "2008-02-29")
    assert zoe.note == "Meet at the café, not at home.\nTEL: only after school\nBring the bus pass = yellow"
    assert points(zoe) == [
        ("mobile", "07700900151", ""),
        ("phone", "0113 496 0151", "home"),
        ("phone", "0113 496 0152", "auntie"),
        ("email", "zoe@example.org", ""),
        ("address", "3 Canal Row, Harrow Green, HG4 9QQ", "home"),
    ]
    assert "related person: Mr Agent (agent)" in zoe.left_out
    assert "related person: Marta (grandmother)" in zoe.left_out
    assert (ines.name, sean.name) == ("Inés Muñoz", "Seán Ó Dálaigh")


def test_broken_cards_do_not_take_the_others_with_them_and_every_unread_line_is_reported() -> None:
    reading = read("broken.vcf")
    names = [one.name for one in reading.cards]
    assert names == [
        "Amara Nwosu",
        "Billy Thwaite",
        "Chérie =ZZ Dubois",
        "]0;ownedDevon [31mPrice",
        "Ella Marsh",
    ]
    assert [one.line for one in reading.unread] == [1, 2, 6, 8, 14, 16, 19, 22, 25, 36]
    assert reading.unread[4].excerpt == "a line that means nothing"
    assert "damaged or cut short" in reading.unread[5].reason
    assert all(one.reason.endswith(".") and len(one.excerpt) <= 60 for one in reading.unread)
    billy = reading.cards[1]
    assert points(billy) == [("phone", "0113 496 0162", "home")]


@pytest.mark.parametrize(
    ("written", "born_on", "said"),
    [
        ("BDAY:1980-03-22", "1980-03-22", ""),
        ("BDAY:19800322", "1980-03-22", ""),
        ("BDAY;VALUE=date:1980-03", "1980-03", ""),
        ("BDAY:1980", "1980", ""),
        ("BDAY:--0522", "--05-22", ""),
        ("BDAY:1604-05-22", "--05-22", ""),
        ("BDAY;X-APPLE-OMIT-YEAR=1900:1900-05-22", "--05-22", ""),
        ("BDAY:1996-10-22T14:00:00-05:00", "1996-10-22", "time with the birthday: 14:00"),
        ("BDAY:22/03/1980", "1980-03-22", ""),
        (
            "BDAY:03/04/1980",
            "1980",
            "birthday as written: 03/04/1980 (day and month could be either way round)",
        ),
        ("BDAY;VALUE=text:circa 1980", "", "birthday as written: circa 1980"),
        ("BDAY:1980-02-30", "", "birthday as written: 1980-02-30 (there is no such day)"),
        ("BDAY:0000-00-00", "", ""),
    ],
)
def test_birthdays_in_all_shapes(written: str, born_on: str, said: str) -> None:
    person = card("FN:Ann Marsh", written)
    assert (person.born_on, person.left_out) == (born_on, (said,) if said else ())


def test_version_2_1_leaves_backslash_n_alone_and_3_0_makes_a_line_of_it() -> None:
    assert card("FN:A", "NOTE:C:\\new folder", version="2.1").note == "C:\\new folder"
    assert card("FN:A", "NOTE:one\\ntwo", version="3.0").note == "one\ntwo"


def test_a_soft_break_that_leads_nowhere_does_not_swallow_the_next_number() -> None:
    reading = read_contacts(
        b"BEGIN:VCARD\nVERSION:2.1\nFN:A\nNOTE;ENCODING=QUOTED-PRINTABLE:broken off=\nTEL;CELL:07700 900100\nEND:VCARD\n"
    )
    assert points(reading.cards[0]) == [("mobile", "07700 900100", "")]
    assert reading.cards[0].note == "broken off"
    assert [one.line for one in reading.unread] == [4]


def test_a_card_that_was_indented_when_it_was_pasted_still_begins_and_ends() -> None:
    reading = read_contacts(b"BEGIN:VCARD\nFN:Ann\n END:VCARD\n  BEGIN:VCARD\nFN:Bea\nEND:VCARD\n")
    assert [one.name for one in reading.cards] == ["Ann", "Bea"]
    assert reading.unread == ()


def test_the_same_number_given_twice_becomes_one_with_both_labels() -> None:
    person = card("FN:A", "TEL;TYPE=HOME:0113 496 0100", "TEL;TYPE=WORK:(0113) 496-0100")
    assert points(person) == [("phone", "0113 496 0100", "home, work")]


def test_utf_16_old_mac_line_ends_and_a_byte_order_mark_read_the_same() -> None:
    text = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Zoë Łuczak\r\nTEL:0113 496 0100\r\nNOTE:kettle\r\nEND:VCARD\r\n"
    plain = read_contacts(text.encode()).cards[0]
    for data in (
        text.encode("utf-8-sig"),
        text.encode("utf-16"),
        text.encode("utf-16-le"),
        text.replace("\r\n", "\n").encode(),
        text.replace("\r\n", "\r").encode(),
        text.replace("NOTE:kettle", "NOTE:ket\r\n tle").encode(),
    ):
        other = read_contacts(data).cards[0]
        assert (other.name, other.fingerprint()) == ("Zoë Łuczak", plain.fingerprint())


def test_a_fingerprint_changes_with_the_content_and_not_with_the_place_in_the_file() -> None:
    ann = ContactCard(name="Ann", points=(ContactPoint("phone", "0113 496 0100"), ContactPoint("email", "A@x.org")))
    same = ContactCard(
        name="Ann",
        points=(ContactPoint("email", "a@x.org"), ContactPoint("phone", "01134960100")),
        uid="7",
        line=90,
        left_out=("a photo of 3 KB",),
    )
    assert ann.fingerprint() == same.fingerprint()
    assert len(ann.fingerprint()) == 64
    assert ann.fingerprint() != ContactCard(name="Ann", points=ann.points, note="moved").fingerprint()
    assert ann.fingerprint() != ContactCard(name="Ann", points=ann.points, born_on="2011").fingerprint()


# sheets


def test_outlooks_sheet_with_quoted_lines_in_windows_1252() -> None:
    reading = read("outlook.csv")
    assert reading.format == "Outlook contacts (CSV, Windows-1252)"
    renee, col, surgery = reading.cards
    assert reading.unread == ()  # a row of Outlook's own defaults is nobody
    assert (renee.name, renee.born_on, renee.role) == ("Renée Ann Ó Brien", "1979-12-25", "Family worker")
    assert renee.organisation == "Harrow Green Primary, Pastoral team"
    assert renee.note == 'Says "ring first".\nSecond line, with – a dash\n\nLast line'
    assert ("address", "8 Weir Street, Top flat, Harrow Green, HG4 1AC", "home") in points(renee)
    assert ("mobile", "07700 900131", "") in points(renee)
    assert ("other", "0113 496 0139", "work fax") in points(renee)
    assert set(renee.left_out) == {
        "User 1: locker 14",
        "anniversary 2005-04-03",
        "category: Red category",
        "category: Schools",
        "related person: Aoife (children)",
        "related person: Colm (spouse)",
        "title before the name: Mrs",
    }
    assert (col.born_on, col.line) == ("2011-04-03", 7)  # Renée's 25/12 shows which way round the file writes
    assert (surgery.name, surgery.left_out) == ("Weir Street Surgery", ("Private: True",))


def test_googles_sheet_before_2024() -> None:
    gaby, nameless = read("google-before-2024.csv").cards
    assert (gaby.name, gaby.known_as) == ('Adrianna "Gaby" Marsh', ("Gaby",))
    assert [point.value for point in gaby.points if point.kind == "email"] == [
        "gaby@example.org",
        "gaby.m@example.org",
        "second@example.org",
    ]
    assert [point.value for point in gaby.points if point.kind == "mobile"] == [
        "07700 900171",
        "07700 900172",
    ]
    assert ("address", "5 Mill Lane, Harrow Green, HG4 2ZZ", "home") in points(gaby)
    assert ("other", "gaby.marsh", "Skype") in points(gaby)
    assert (gaby.organisation, gaby.role, gaby.born_on) == ("Harrow High, Form B", "Year 9", "2010-06-05")
    assert gaby.note == "Two lines,\none note"
    assert {"related person: Ella Marsh (Mother)", "Bus: No. 12", "anniversary 2020-01-31"} <= set(gaby.left_out)
    assert (nameless.name, nameless.line) == ("Name not known, 07700 900173", 6)


def test_googles_sheet_of_2024() -> None:
    reading = read("google.csv")
    assert reading.format == "Google contacts (CSV, UTF-8)"
    malachi, reids = reading.cards
    assert (malachi.name, malachi.known_as, malachi.born_on) == ("Malachi Reid", ("Mal",), "--05-03")
    assert points(malachi) == [
        ("email", "mal@example.org", "work"),
        ("mobile", "07700 900181", ""),
        ("mobile", "07700 900182", ""),
        ("phone", "0113 496 0181", "Mum’s"),
        ("address", "1 Canal Row, Harrow Green", "home"),
    ]
    assert {"category: Mentors", "Allergy: nuts", "another date 2021-02-03"} <= set(malachi.left_out)
    assert reids.name == "The Reids"
    assert reids.points[0].kind == "other"  # Google's stray "* Other" is no e-mail address


def test_a_sheet_of_somebodys_own_with_everything_wrong_that_people_do() -> None:
    reading = read("own-sheet.csv")
    assert reading.format == "Contact sheet (CSV with semicolons, Windows-1252)"
    chloe, tom, formula, short, long, unclosed, dean = reading.cards
    assert (chloe.name, chloe.born_on, chloe.left_out) == ("Chloé Dubois", "2010-03-21", ("Likes: chess",))
    assert ("address", "3 Mill Lane, Harrow Green", "") in points(chloe)
    assert (tom.name, tom.born_on) == ('Tom "Tommo" Ashe', "2011-05-05")
    assert (formula.name, formula.left_out) == ("=cmd|/c calc!A0", ("birthday as written: about 14",))
    assert (short.name, short.line) == ("Short Row", 8)
    assert long.left_out[:2] == ("beyond the last column: extra", "beyond the last column: cells")
    assert points(unclosed) == [("phone", "0113 496 0194", "")]
    assert (dean.name, dean.born_on) == ('Dean "Deano" Price', "--02-14")
    assert dean.left_out == ("birthday as written: 14/02/09 (which century is not said)",)
    assert [(one.line, one.excerpt) for one in reading.unread] == [(12, ";;;no name here;;")]


def test_tabs_in_utf_16_as_a_workbook_saves_them() -> None:
    reading = read("workbook-text.txt")
    assert (reading.format, reading.encoding) == ("Contact sheet (CSV with tabs, UTF-16)", "UTF-16")
    assert [(one.name, one.note, one.line) for one in reading.cards] == [
        ("Łukasz Żak", "two\nlines", 2),
        ("小林 花", "", 4),
    ]


def test_a_quote_that_is_never_closed_costs_one_row_and_not_the_file() -> None:
    text = 'Name,Phone,Email\n"Ann,0113 496 0100\n"Bea",0113 496 0101,b@example.org\nCy,0113 496 0102,\n'
    reading = read_contacts(text.encode())
    assert [one.name for one in reading.cards] == ["Bea", "Cy"]
    assert [(one.line, one.excerpt) for one in reading.unread] == [(2, '"Ann,0113 496 0100')]


def test_the_pieces_of_a_torn_note_become_nobody() -> None:
    text = 'Name,Phone,Notes\nAnn,0113 496 0100,"she said "hi\nand left"\nBea,0113 496 0101,\n'
    reading = read_contacts(text.encode())
    assert [one.name for one in reading.cards if one.name != "Ann"] == ["Bea"]
    assert 3 in {one.line for one in reading.unread}


def test_day_and_month_are_not_guessed_where_the_file_shows_american_dates() -> None:
    cards = sheet("Name,DOB\nA,12/25/2010\nB,03/04/2011\nC,25/12/2010\nD,05/05/2011\n")
    assert [one.born_on for one in cards] == ["2010-12-25", "2011", "2010-12-25", "2011-05-05"]
    assert "either way round" in cards[1].left_out[0]


def test_with_nothing_to_go_by_a_british_date_is_read_day_first_and_said() -> None:
    (ann,) = sheet("Name,DOB\nAnn,03/04/2011\n")
    assert ann.born_on == "2011-04-03"
    assert "read as day first" in ann.left_out[0]
    assert day_order(["25/12/2010", "03/04/2011"]) == "day first"
    assert read_date("3rd of May 2011").iso == "2011-05-03"
    assert read_date("May 2011").iso == "2011-05"
    assert read_date("40666").iso == ""


def test_surnames_before_commas_in_a_sheet_of_one_column_stay_whole() -> None:
    assert [one.name for one in sheet("Name\nOkafor, Grace\n")] == ["Okafor, Grace"]


def test_a_number_that_a_spreadsheet_rounded_is_not_kept_as_a_number() -> None:
    (ann,) = sheet("Name,Mobile\nAnn,4.47701E+11\n")
    assert (ann.points, ann.left_out) == (
        (),
        ("number as written: 4.47701E+11 (a spreadsheet has rounded it)",),
    )


# files by other programs


def by_others(name: str) -> Reading:
    if not BY_OTHERS.is_dir():
        pytest.skip("The contact files by other programs do not stand beside this checkout; they were not read.")
    return read_contacts((BY_OTHERS / name).read_bytes(), name)


def test_an_android_phones_export() -> None:
    reading = by_others("John_Doe_ANDROID.vcf")
    assert reading.format == "vCard 2.1"
    assert [one.name for one in reading.cards] == [
        "john.doe@company.com",
        "jane.doe@company.com",
        "Ñ Ñ Ñ Ñ Ñ",
        " ".join("Ñ" * 11),
        "Ñ Ñ Ñ Ñ",
        "ÑÑÑÑ",
    ]
    assert [p.value for p in reading.cards[3].points] == ["123456", "234567", "3456789", "45678901"]
    assert [one.line for one in reading.unread] == [52]  # the sample's photo was cut by those who published it


@pytest.mark.parametrize(
    ("name", "called", "known_as", "born_on", "kinds", "left_out"),
    [
        ("John_Doe_EVOLUTION.vcf", "Mr. John Richter, James Doe Sr.", ("Johny",), "1980-03-22", 6, "related person: Maria (Spouse)"),
        ("John_Doe_GMAIL.vcf", "Mr. John Richter, James Doe Sr.", (), "1980-03-22", 5, "anniversary 1975-03-01"),
        ("John_Doe_MS_OUTLOOK.vcf", "Mr. John Richter James Doe Sr.", ("Johny",), "1980-03-22", 7, "a photo of 860 bytes"),
        ("gmail-single.vcf", "Greg Dartmouth", ("Gman",), "1960-09-10", 7, "related person: MyCustom (CustomRelationship)"),
        ("outlook-2003.vcf", "John Doe III", ("Joey",), "1980-03-21", 7, "a key of 805 bytes"),
    ],
)  # fmt: skip
def test_cards_that_other_programs_wrote(
    name: str, called: str, known_as: tuple[str, ...], born_on: str, kinds: int, left_out: str
) -> None:
    reading = by_others(name)
    (john,) = reading.cards
    assert reading.unread == ()
    assert (john.name, john.known_as, john.born_on, len(john.points)) == (called, known_as, born_on, kinds)
    assert left_out in john.left_out
    assert not any(mark in point.value for point in john.points for mark in ("\\", "=0D", "tel:"))


def test_the_example_of_the_standard_has_two_people() -> None:
    frank, tim = by_others("rfc2426-example.vcf").cards
    assert ("address", "6544 Battleford Drive, Raleigh, NC, 27613-3502, U.S.A.", "work") in points(frank)
    assert [p.value for p in frank.points if p.kind == "email"] == [
        "Frank_Dawson@Lotus.com",
        "fdawson@earthlink.net",
    ]
    assert (tim.name, tim.line, tim.organisation) == ("Tim Howes", 13, "Netscape Communications Corp.")
