"""Notes on the plain path: one line, options, standard input of any length; and nothing that was written is lost."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest

from leadworker.plain import notes, written
from tests.plain_world import Plain, empty, plain, template

__all__ = ["empty", "plain", "template"]

NOW = datetime(2025, 11, 18, 14, 32).astimezone()


def newest(plain: Plain, person: str = "yusuf") -> dict[str, Any]:
    """Return the newest entry about somebody."""
    entries = plain("timeline", person, "--limit", "1", "--json").json()["entries"]
    return dict(entries[0])


def yesterday() -> set[str]:
    """Return the day before today, also when midnight passes meanwhile."""
    return {(datetime.now() - timedelta(days=days)).date().isoformat() for days in (1, 2)}


def test_one_line_is_read_as_it_is_typed(plain: Plain) -> None:
    answer = plain("note", "yusuf", "visit home yesterday 4pm 50 min")
    entry = newest(plain)

    assert answer.out.startswith("Saved on this laptop: Visit, Yusuf Demir, yesterday 16:00, 50 min, home. Id ")
    assert (entry["kind"], entry["minutes"], entry["place"], entry["title"]) == ("visit", 50, "home", "")
    assert entry["happened"][:10] in yesterday()
    assert entry["happened"][11:16] == "16:00"
    assert entry["where"] == "here"


def test_options_count_more_than_the_line(plain: Plain) -> None:
    plain("note", "yusuf", "visit home yesterday 4pm 50 min", "--kind", "Phone call", "--minutes", "1 h 5", "--when", "2025-11-14T09:30")
    entry = newest(plain)

    assert (entry["kind"], entry["minutes"], entry["place"]) == ("phone", 65, "home")
    assert entry["happened"].startswith("2025-11-14T09:30")


def test_each_part_has_its_option_and_may_be_given_several_times(plain: Plain) -> None:
    answer = plain(
        "note", "yusuf", "--seen", "Yusuf", "--seen", "his aunt", "--said", "I like it here.", "--noticed", "Warm room.",
        "--think", "Settling.", "--next", "ring school fri", "--next", "Ruth: send the form", "--json",
    ).json()  # fmt: skip
    entry = newest(plain)

    assert (entry["seen"], entry["said"], entry["noticed"], entry["think"]) == (
        "Yusuf\nhis aunt",
        "I like it here.",
        "Warm room.",
        "Settling.",
    )
    assert entry["next"] == "ring school fri\nRuth: send the form"
    assert [action["owner"] for action in entry["actions"]] == ["Alex Morgan", "Alex Morgan"]
    assert "who is Ruth?" in answer["questions"], "an owner whom nobody knows is asked about, not guessed"
    assert len(answer["action_ids"]) == 2


def test_a_text_with_labels_goes_into_its_parts(plain: Plain) -> None:
    text = (
        "Phone call yesterday 9am\r\nHe rang by himself.\r\n\r\nSeen: nobody\nSAID: I slept.\nTwice this week.\n"
        "i think: Calmer.\nNext: ring school fri\n"
    )
    plain("note", "yusuf", "-", typed=text)
    entry = newest(plain)

    assert entry["kind"] == "phone"
    assert entry["noticed"] == "He rang by himself."
    assert (entry["seen"], entry["said"], entry["think"]) == ("nobody", "I slept.\nTwice this week.", "Calmer.")
    assert [action["text"] for action in entry["actions"]] == ["Ring school"]


def test_prose_is_no_first_line(plain: Plain) -> None:
    plain("note", "yusuf", "He was calm when I came and showed me his drawings, which he never did before.\nMore tomorrow.")
    entry = newest(plain)

    assert entry["kind"] == "note"
    assert entry["title"] == ""
    assert entry["noticed"].startswith("He was calm when I came")
    assert entry["noticed"].endswith("More tomorrow.")


def test_standard_input_is_read_without_being_asked_for_when_there_is_nothing_else(plain: Plain) -> None:
    plain("note", "yusuf", typed="He came by himself.")

    assert newest(plain)["noticed"] == "He came by himself."


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_standard_input_may_be_coded_as_programs_code_it(plain: Plain, codec: str) -> None:
    plain("note", "yusuf", "-", typed="Chloé’s room was “warm”.".encode(codec))

    assert newest(plain)["noticed"] == "Chloé’s room was “warm”."


def test_a_note_of_a_megabyte_is_saved_whole(plain: Plain) -> None:
    words = [f"word{number}" for number in range(110_000)]
    lines = [" ".join(words[at : at + 12]) for at in range(0, len(words), 12)]
    text = "\n".join(lines)
    assert len(text) > 1_000_000

    answer = plain("note", "yusuf", "-", "--json", typed=text).json()
    entries = plain("timeline", "yusuf", "--limit", "100", "--json").json()["entries"]

    assert len(answer["parts"]) == len(entries) > 20
    in_order = {entry["id"]: entry for entry in entries}
    kept = " ".join(in_order[part]["noticed"] for part in answer["parts"])
    assert kept.split() == words
    assert {in_order[part]["continues"] for part in answer["parts"][1:]} == {answer["id"]}


def test_a_long_note_is_parted_between_words_takes_its_time_once_and_says_continued(plain: Plain) -> None:
    words = [f"gran{number}" for number in range(9_000)]
    plain("note", "yusuf", "-", "--minutes", "31", typed=" ".join(words))
    entries = plain("timeline", "yusuf", "--limit", "9", "--json").json()["entries"]

    assert len(entries) > 1
    assert sorted(word for entry in entries for word in entry["noticed"].split()) == sorted(words), "no word is cut in two"
    assert sorted(entry["minutes"] for entry in entries) == [*[0] * (len(entries) - 1), 31], "the visit was made once"
    told = plain("timeline", "yusuf", "--limit", "9").out
    assert told.count("31 min") == 1
    assert told.count(", continued") == len(entries) - 1


def test_a_long_note_with_lines_is_parted_between_lines(plain: Plain) -> None:
    lines = [f"{number} gran said that she would come on Thursday" for number in range(1_200)]
    plain("note", "yusuf", "-", typed="\n".join(lines))
    entries = plain("timeline", "yusuf", "--limit", "9", "--json").json()["entries"]

    assert len(entries) > 1
    kept = [line for entry in entries for line in entry["noticed"].split("\n")]
    assert sorted(kept) == sorted(lines)


def test_one_line_of_a_megabyte_is_saved_whole(plain: Plain) -> None:
    text = "abcdefghi " * 105_000
    plain("note", "yusuf", "-", typed=text)
    entries = plain("timeline", "yusuf", "--limit", "100", "--json").json()["entries"]

    kept = "".join("".join(entry["noticed"].split()) for entry in entries)
    assert kept == "abcdefghi" * 105_000


def test_far_too_much_is_refused_before_anything_is_opened(plain: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes, "LARGEST_TEXT", 1_048_576)

    answer = plain("note", "yusuf", "-", typed=b"x" * 1_048_577, code=1)
    assert "longer than 1 MB. Nothing was saved" in answer.err


def test_what_cannot_be_filed_is_kept_as_a_draft_and_can_be_finished(plain: Plain) -> None:
    answer = plain("note", "kiera", "-", code=1, typed="visit home yesterday 4pm\nSaid: I am not going back there.")
    (draft,) = plain("drafts", "--json").json()["drafts"]

    assert f"What you wrote is kept as a draft, id {draft['id'][-8:]}" in answer.err
    assert draft["said"] == "I am not going back there."
    assert "I am not going back there." in plain("drafts", "show", draft["id"][-8:]).out

    assert "Say it with --person" in plain("drafts", "finish", draft["id"][-8:], code=1).err
    plain("drafts", "finish", draft["id"][-8:], "--person", "keira")
    assert newest(plain, "keira")["said"] == "I am not going back there."
    assert plain("drafts").out == "There are no drafts.\n"


@pytest.mark.parametrize("option", [("--kind", "gossip"), ("--when", "blue moon"), ("--minutes", "ages"), ("--visit", "12345678")])
def test_a_wrong_option_loses_no_word(plain: Plain, option: tuple[str, str]) -> None:
    answer = plain("note", "yusuf", "He was calm.", *option, code=1)

    assert "kept as a draft" in answer.err
    (draft,) = plain("drafts", "--json").json()["drafts"]
    assert (draft["noticed"], draft["person"]) == ("He was calm.", "Yusuf Demir")


def test_a_draft_is_thrown_away_only_when_that_is_said(plain: Plain) -> None:
    plain("note", "nobody", "He was calm.", code=1)
    (draft,) = plain("drafts", "--json").json()["drafts"]

    plain("drafts", "throw-away", draft["id"][-8:])
    assert plain("drafts", "--json").json()["drafts"] == []


def test_a_note_without_words_is_said_in_words(plain: Plain) -> None:
    before = plain.digest()
    answer = plain("note", "yusuf", "-", typed=" \n\n", code=1)

    assert "no words in this note" in answer.err
    assert plain.digest() == before
    assert plain("drafts", "--json").json()["drafts"] == []


def test_a_note_writes_up_a_visit_of_the_diary(plain: Plain) -> None:
    (visit,) = plain("visits", "--json").json()["visits"]
    plain("note", "keira", "visit home", "--visit", visit["id"][-8:])

    (written_up,) = plain("visits", "--person", "keira", "--json").json()["visits"]
    assert written_up["entry_id"] == newest(plain, "keira")["id"]
    assert plain("visits").out == "There are no visits in the diary.\n"


def test_the_timeline_stops_where_it_is_told(plain: Plain) -> None:
    for day in ("2025-11-10", "2025-11-12", "2025-11-14"):
        plain("note", "yusuf", f"On {day}.", "--when", day)
    before = plain("timeline", "yusuf", "--before", "2025-11-12", "--json").json()["entries"]
    one = plain("timeline", "yusuf", "--limit", "1", "--json").json()["entries"]

    assert [entry["noticed"] for entry in before] == ["On 2025-11-12.", "On 2025-11-10."]
    assert [entry["noticed"] for entry in one] == ["On 2025-11-14."]
    assert "up to then" in plain("timeline", "yusuf", "--before", "2024-01-01").out


def test_the_timeline_says_each_kind_of_statement_after_its_label(plain: Plain) -> None:
    answer = plain("timeline", "keira").out

    assert re.search(r"Visit, home, 50 min, written by you on \w+ \d+ \w+.*, here only\. Id [0-9a-f]{8}\.", answer)
    assert (
        "  Seen: Keira on her own\n  Said: I actually slept.\n  Noticed: Kitchen tidy, food in.\n  I think: Home feels safer.\n" in answer
    )
    assert "  Next: Ring the clinic about the wait, you, 2 days late." in answer


def test_search_finds_people_and_words(plain: Plain) -> None:
    by_word = plain("search", "slept", "--json").json()
    by_name = plain("search", "yus", "dem").out

    assert [find["entry"]["said"] for find in by_word["entries"]] == ["I actually slept."]
    assert "slept" in by_word["entries"][0]["words"]
    assert by_name == "Person: Yusuf Demir, about 16.\n"
    assert plain("search", "zebra").out == "Nothing matches “zebra”.\n"


def test_every_word_of_a_text_is_in_one_of_its_parts() -> None:
    text = "visit home\n\nfirst\nSeen:\nA\nSaid: b\n\nc\nnot a label: d\nNext:e\nThink: f\n"
    apart = written.take_apart(text, NOW, ())

    assert apart == written.Text("visit home", "A", "b\n\nc\nnot a label: d", "first", "f", "e")


@pytest.mark.parametrize(
    ("line", "first"),
    [
        ("visit home yesterday 4pm 50 min", True),
        ("phone call, she was upset about the school letter", True),
        ("yesterday 4pm", True),
        ("She said that yesterday was hard.", False),
        ("Met him again at the club today", True),
        ("Met him again today and he told me at length what had happened with his brother at the weekend.", False),
        ("Seen: Mum", False),
        ("visit " + "and more " * 60, False),
        ("", False),
    ],
)
def test_which_line_is_read_as_a_first_line(line: str, first: bool) -> None:
    assert bool(written.take_apart(line + "\nmore", NOW, ()).first_line) is first


def test_a_note_that_is_stopped_half_way_is_a_draft_and_says_which(plain: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["visit home yesterday 4pm", "Yusuf on his own", "", KeyboardInterrupt])

    def typed() -> str:
        answer = next(answers)
        if isinstance(answer, str):
            return answer
        raise answer

    monkeypatch.setattr(notes, "_is_terminal", lambda: True)
    monkeypatch.setattr("builtins.input", typed)
    stopped = plain("note", "yusuf", code=130)
    (draft,) = plain("drafts", "--json").json()["drafts"]

    assert f"leadworker drafts finish {draft['id'][-8:]}" in stopped.err
    plain("drafts", "finish", draft["id"][-8:])
    assert newest(plain)["seen"] == "Yusuf on his own"
