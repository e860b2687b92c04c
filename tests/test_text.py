"""Other people's text is harmless and still theirs: nothing that a terminal obeys, and no letter of anybody's language lost."""

from __future__ import annotations

import itertools
import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadworker.text import LONGEST_LINE, MOST_MARKS, clean, one_line, skeleton

ESC, CSI, OSC, DCS, APC, PM, SOS, ST, BEL = "\x1b", "\x9b", "\x9d", "\x90", "\x9f", "\x9e", "\x98", "\x9c", "\x07"

INTRODUCERS = (f"{ESC}[", CSI, f"{ESC}]", OSC, f"{ESC}P", DCS, f"{ESC}_", APC, f"{ESC}^", PM, f"{ESC}X", SOS, ESC)
FINISHES = ("m", "2J", "31;1m", "6n", "c", "52;c;cm0gLXJm", "0;title", "8;;https://example.org", "?1049l", "$q", "#8")
ENDS = ("", BEL, ST, f"{ESC}\\", "\x18", "\x1a", "\n")
SEQUENCES = {
    f"{introducer!a}": [f"before{introducer}{finish}{end}after" for finish in FINISHES for end in ENDS] for introducer in INTRODUCERS
}
TRICKS = (
    "\x00", "\x08" * 50, "\x7f", "\r\rover", "\x0e\x0f", "\x85", "\u2028\u2029", "\x1c\x1d\x1e\x1f", "\ufeffmark", "\ufffe\uffff",
    "not\u202esafe\u202c", "\u2066\u2067\u2068\u2069", "\u200e\u200f\u061c", "a\u200bb\u2060c\u00add", "x\u2062y",
    "\U000e0001\U000e0041\U000e007f", "\ufe0f\ufe0e\U000e0100", "\u180b\u180e", "\ue000\U000f0000\U0010ffff", "\ud800", "\udfff\ud800",
    "\ud83d\ude00", "\u115f\u1160\u3164\uffa0\u2800\u034f", "e" + "\u0301" * 300, "\u0301" * 300, "\u20dd" * 9, "\U0001d173\U0001d17a",
    "\ufdd0\ufdef\U0001fffe", "\u2065\ufff0", "\ufff9hidden\ufffa\ufffb", "\u17b4\u17b5", "\x1b" * 500, "ok\x1b", "[red]x[/]", "[@click=app.quit]x[/]",
)  # fmt: skip

KEPT = {
    "Welsh": "Mae gan Siân dŷ bach, ŵyn a thŷ gwydr; pŵer i'r bobl, Ŷ Ŵ.",
    "Polish": "Zażółć gęślą jaźń, ŁÓDŹ.",
    "Arabic": "قال لي: «لا أريد الذهاب إلى هناك»، ثم سَكَتَ.",
    "Urdu": "میں وہاں واپس نہیں جا رہی، نانی سے پوچھیں۔",
    "Persian": "می‌خواهم خانه‌ی مادربزرگ بمانم",
    "Bengali": "আমি সেখানে ফিরে যাচ্ছি না। র‍্যাব ক্ষমা",
    "Hindi": "क्‍या आप सुन रहे हैं? नहीं।",
    "Sinhala": "ශ්‍රී ලංකා",
    "Chinese": "我不想回去，問我奶奶。",
    "Japanese": "もう戻りたくない。ガギグ",
    "Korean": "돌아가고 싶지 않아요",
    "Vietnamese": "Tôi không muốn quay lại đó, hỏi bà ngoại.",
    "Yoruba": "Ẹ kú àárọ̀, ọmọ mi",
    "Hebrew": "שָׁלוֹם לְכֻלָּם",
    "Thai": "ฉันไม่อยากกลับไปที่นั่น",
    "Tibetan": "བསྒྲུབས་པ",
    "Greek and Cyrillic": "Καλημέρα, Привіт, ћирилица",
    "signs": "£20 – “quite”, ½ cup, 5 °C, naïve café … ☎ ✓ ♥ §4 ±",
    "a family": "👨‍👩‍👧 and 🏳‍🌈 and 👍🏽",
}

anything = st.one_of(
    st.text(st.characters(exclude_categories=())),
    st.lists(st.sampled_from([*TRICKS, *itertools.chain(*SEQUENCES.values())]), max_size=4).map("".join),
    st.lists(
        st.sampled_from(
            "e a\u0301 \u0323 \u0301 \u0327 \u0344 \u200b \u200c \u200d \u200d\u200c \n ب ক র ् K \u212b \u037e \u2126 가 \u1100 \u1161 \U0001d165 \u302e "
            "\U0001d164 \u0f71 \u0f72 \u0f73 \u0f80 \ufb2c 👨 \ufe0f \u034f \xad x \x1b \ud800 \udc00 \u00e9".split(" ")
        ),
        max_size=60,
    ).map("".join),
)


def is_harmless(text: str) -> None:
    """Fail when a character is left that a terminal obeys, that turns the line, that hides, or that piles up."""
    for character in text:
        category = unicodedata.category(character)
        assert category != "Cc" or character == "\n", ascii(character)
        assert category not in ("Cs", "Co", "Zl", "Zp"), ascii(character)
        assert category != "Cf" or character in "\u200c\u200d", ascii(character)
    marks = 0
    for character in text:
        if character in "\u200c\u200d":
            continue
        marks = marks + 1 if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me") else 0
        assert marks <= MOST_MARKS
    assert all(len(line) <= LONGEST_LINE for line in text.split("\n"))
    assert not re.search("[\u200c\u200d](?=[\u200c\u200d\\s!-~]|\\Z)", text), "a joiner stands between two letters or not at all"
    assert unicodedata.normalize("NFC", text) == text
    text.encode()


@pytest.mark.parametrize("family", [*SEQUENCES, "tricks"])
def test_hostile_text_comes_out_harmless_wherever_it_stands(family: str) -> None:
    for payload in SEQUENCES.get(family, TRICKS):
        for around in ("{}", "Keira {} said", "é{}é", "ব{}ব", "{}\n{}"):
            cleaned = clean(around.replace("{}", payload))
            is_harmless(cleaned)
            assert clean(cleaned) == cleaned
        is_harmless(one_line(payload))
        assert "\n" not in one_line(payload)


def test_hostile_text_at_the_end_of_a_line_that_is_too_long_is_harmless_too() -> None:
    for payload in TRICKS:
        for length in range(LONGEST_LINE - 3, LONGEST_LINE + 2):
            cleaned = clean("é" * length + payload + "ب")
            is_harmless(cleaned)
            assert clean(cleaned) == cleaned


def test_a_line_that_is_too_long_is_parted_between_two_words() -> None:
    words = [f"gran{number}" for number in range(5_000)]
    cleaned = clean(" ".join(words))
    assert cleaned.count("\n") > 2
    assert cleaned.split() == words
    assert cleaned.replace("\n", "") == " ".join(words), "and nothing of it is lost"
    assert clean(cleaned) == cleaned


def test_there_are_enough_hostile_texts_to_mean_it() -> None:
    assert sum(len(payloads) for payloads in SEQUENCES.values()) + len(TRICKS) > 1000


def test_of_an_escape_sequence_what_a_person_would_have_read_stays() -> None:
    assert clean(f"not {ESC}[31msafe{ESC}[0m") == "not [31msafe[0m"
    assert clean(f"{ESC}]52;c;cm0gLXJm{BEL}words") == "]52;c;cm0gLXJmwords"
    assert clean("one\r\ntwo\rthree\x0bfour\x0cfive\u2028six\x85seven\teight") == "one\ntwo\nthree\nfour\nfive\nsix\nseven eight"


def test_nothing_can_make_a_line_read_as_something_else() -> None:
    assert clean("not \u202esafe\u202c") == "not safe"
    assert clean("pass\u200bword\u2060s\xad") == "passwords"
    assert one_line("Kei\u200dra") == one_line("Keira"), "a joiner between Latin letters would make a second name of one"


@pytest.mark.parametrize("language", KEPT)
def test_ordinary_letters_of_every_language_stay_as_they_are(language: str) -> None:
    words = KEPT[language]
    assert clean(words) == words
    assert clean(unicodedata.normalize("NFD", words)) == unicodedata.normalize("NFC", words)
    assert clean(f"{words}\n{words}") == f"{words}\n{words}"


def test_letters_of_every_script_stay_one_by_one() -> None:
    for point in range(0x20, 0x30000):
        letter = chr(point)
        is_shown = point not in (0x115F, 0x1160, 0x3164, 0xFFA0)  # fillers: letters that show as nothing
        if unicodedata.category(letter)[0] in "LN" and is_shown:
            assert clean(letter) == unicodedata.normalize("NFC", letter), hex(point)


def test_characters_newer_than_this_python_stay_so_that_laptops_agree() -> None:
    unassigned = "\u0378\U0001fbff\U00031350"
    assert all(unicodedata.category(c) == "Cn" for c in unassigned[:1])
    assert clean(unassigned) == unassigned


@settings(max_examples=1500)
@given(anything)
def test_any_text_is_cleaned_once_and_for_all(text: str) -> None:
    cleaned = clean(text)
    is_harmless(cleaned)
    assert clean(cleaned) == cleaned
    assert (
        len(unicodedata.normalize("NFD", cleaned))
        <= len(unicodedata.normalize("NFD", text.encode(errors="replace").decode())) + len(text) // LONGEST_LINE
    )
    assert one_line(one_line(text)) == one_line(text)
    assert skeleton(skeleton(text)) == skeleton(text)


@settings(max_examples=500)
@given(anything, anything)
def test_two_texts_on_two_lines_are_cleaned_as_each_alone(one: str, other: str) -> None:
    assert clean(f"{one}\n{other}") == f"{clean(one)}\n{clean(other)}" or one[-1:] == "\r" or "\ud800" <= one[-1:] <= "\udbff"


def test_marks_are_cut_where_no_script_needs_them() -> None:
    assert clean("e" + "\u0302\u0301" * 150) == "\u1ebf" + "\u0302\u0301" * 2
    assert len(clean("x" + "\u0335" * 10_000)) == 1 + MOST_MARKS
    assert clean("\u0301" * 10_000) == "\u0301" * MOST_MARKS


@pytest.mark.parametrize(
    "piece", ["x", "ż", "\u0301", "\u0327\u0301", "ب\u200c", "\x1b[0m", "\u200d\u0301", "a\u0301", "\ud800", "가\u0323"]
)
def test_a_line_of_a_megabyte_costs_no_more_than_its_share(piece: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All steps are walks but one: composing sorts a pile of marks, in square time, so it is never given a high one."""
    normalize, given_to_it = unicodedata.normalize, []

    def counted(form: str, text: str) -> str:
        piles = re.split(r"[^\u0300-\u036f]", text)
        given_to_it.append(max(len(pile) for pile in piles))
        return normalize(form, text)  # type: ignore[arg-type]

    monkeypatch.setattr(unicodedata, "normalize", counted)
    cleaned = clean(piece * (1_000_000 // len(piece)))
    assert max(given_to_it, default=0) <= 16
    assert len(given_to_it) <= 2
    assert all(len(line) <= LONGEST_LINE for line in cleaned.split("\n"))


def test_long_lines_go_on_in_the_next_and_lose_nothing() -> None:
    for letter in ("x", "é", "ب"):
        cleaned = clean(letter * 1_000_000)
        assert cleaned.replace("\n", "") == letter * 1_000_000
        assert cleaned.count("\n") == 99


def test_names_are_compared_without_case_accents_and_points() -> None:
    assert skeleton("  Siân   O’NEILL-Żak ") == skeleton("sian o neill zak")
    assert skeleton("ＫＥＩＲＡ") == skeleton("𝐊𝐞𝐢𝐫𝐚") == "keira"
    assert skeleton("\u200b\x1b!?") == ""
