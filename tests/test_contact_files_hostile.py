"""No file can make the reader of contact files fail, and nothing that a terminal obeys comes out of it."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadworker.contacts import LARGEST_FILE, ContactCard, Reading, read_contacts
from leadworker.errors import NotUnderstood

SAMPLES = Path(__file__).parent / "contact_files"
TURNS_TEXT = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def only_card(lines: str) -> ContactCard:
    (one,) = read_contacts(f"BEGIN:VCARD\nVERSION:3.0\n{lines}\nEND:VCARD\n".encode()).cards
    return one


@pytest.mark.parametrize(
    ("data", "name", "words"),
    [
        (b"", "a.csv", "empty"),
        (b" \r\n\n", "a.vcf", "empty"),
        (b"PK\x03\x04xl/workbook.xml", "a.xlsx", "Excel workbook"),
        (b"\xd0\xcf\x11\xe0rest", "a.xls", "older Excel"),
        (b"<!DOCTYPE html><html>", "a.csv", "web page"),
        (b"BEGIN:VCALENDAR\nEND:VCALENDAR\n", "a.ics", "calendar"),
        (bytes(range(256)) * 40, "a.bin", "not a text file"),
        (b"hello\n", "a.vcf", "BEGIN:VCARD"),
        (b"Fruit,Weight\napple,3\n", "a.csv", "“Fruit”, “Weight”"),
    ],
)
def test_a_file_that_is_no_contact_file_is_refused_with_what_to_do(data: bytes, name: str, words: str) -> None:
    with pytest.raises(NotUnderstood) as refusal:
        read_contacts(data, name)
    assert words in refusal.value.sentence
    assert "Nothing was imported" in refusal.value.sentence


def test_a_refusal_does_not_repeat_somebodys_details() -> None:
    with pytest.raises(NotUnderstood) as refusal:
        read_contacts(b"Grace Okafor,0113 496 0000\nAnn,0113 496 0001\n")
    assert "Grace" not in refusal.value.sentence
    assert "called Name" in refusal.value.sentence


def test_a_file_of_more_than_fifty_megabytes_is_refused() -> None:
    with pytest.raises(NotUnderstood, match="MB"):
        read_contacts(b"x" * (LARGEST_FILE + 1))


def test_a_line_of_a_megabyte_is_cut_and_said() -> None:
    ann = only_card("FN:Ann" + "n" * 1_000_000 + "\nNOTE:" + "x" * 500_000)
    assert len(ann.name) == 1_000
    assert "the name goes on for 999,003 more characters" in ann.left_out
    assert len(ann.note.replace("\n", "")) == 500_000


def test_piled_up_marks_control_characters_and_turned_text_come_out_harmless() -> None:
    piled = "NOTE:a" + "\u0301\u0327" * 100_000 + "\x07\x9b"
    ann = only_card("FN:A\u0301\x1b[2J\u202enn\u2066\n" + piled + "\nTEL:01\x00\x0813")
    assert ann.name == "Á[2Jnn"
    assert len(ann.note) < 10
    assert ann.points[0].value == "0113"


def test_many_unread_lines_are_counted_instead_of_listed() -> None:
    reading = read_contacts(b"Name,Likes\nAnn,tea\n" + b",tea\n" * 5_000)
    assert len(reading.cards) == 1
    assert len(reading.unread) == 1_001
    assert reading.unread[-1].reason == "And 4,000 more lines could not be read."


def everything_said(reading: Reading) -> list[str]:
    said = [reading.format, reading.encoding]
    for unread in reading.unread:
        said += [unread.reason, unread.excerpt]
    for one in reading.cards:
        said += [one.name, *one.known_as, one.pronouns, one.born_on, one.organisation, one.role, one.uid]
        said += [*one.left_out, *(text for point in one.points for text in (point.value, point.label))]
        said.append(one.note.replace("\n", ""))
    return said


def assert_harmless(data: bytes, name: str) -> None:
    try:
        reading = read_contacts(data, name)
    except NotUnderstood as refusal:
        said = [refusal.sentence]
    else:
        said = everything_said(reading)
        assert all(one.name and one.line > 0 and len(one.fingerprint()) == 64 for one in reading.cards)
        assert all(unread.line > 0 and len(unread.excerpt) <= 60 for unread in reading.unread)
    for text in said:
        bad = [c for c in text if unicodedata.category(c) in ("Cc", "Cs") or c in TURNS_TEXT]
        assert not bad, (text, bad)


STARTS = [
    b"",
    b"BEGIN:VCARD\nVERSION:2.1\nFN:a\n",
    b"Name,Phone,DOB,Notes\n",
    b"First Name\tE-mail 1 - Value\n",
    b"\xff\xfe",
]
NAMES = ["", "a.vcf", "a.csv"]


@settings(max_examples=200, deadline=None)
@given(start=st.sampled_from(STARTS), rest=st.binary(max_size=300), name=st.sampled_from(NAMES))
def test_no_bytes_at_all_can_make_the_reader_fail(start: bytes, rest: bytes, name: str) -> None:
    assert_harmless(start + rest, name)


PIECES = [
    b"BEGIN:VCARD", b"END:VCARD", b"\r\n", b"\n ", b"\r", b"=\n", b"=0A", b"=ZZ", b'"', b'""', b";", b",", b":", b"\\", b"\x00",
    b"\x1b]0;x\x07", b"\xe2\x80\xae", b"\xff", b"ENCODING=QUOTED-PRINTABLE", b"ENCODING=b", b"AGENT:", b"KIND:group", b" ::: ",
    b"1604-02-30", b"BDAY:", b"\xcc\x81\xcc\xa7", b"CHARSET=utf-7", b"CHARSET=idna", b"\t", b"\x85", b"\xc2\x9b",
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_files_are_read_as_far_as_they_go_and_never_fail(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(SAMPLES.iterdir())))
    whole = bytearray(path.read_bytes()[:6_000])
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(whole)))
        width = data.draw(st.integers(0, 40))
        whole[at : at + width] = data.draw(st.sampled_from(PIECES) | st.binary(max_size=4))
    assert_harmless(bytes(whole), path.name)
