"""The register of named attacks of an evil central store (security E.6): what it does, how it is met, the words, the test.

``python -m tests.attacks`` writes docs/attacks.md; tests/test_forty_attacks.py holds the register to the tests and the product.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

DETECTED, HARMLESS = "detected", "harmless"

PAGE = "tests/test_sync_hostile.py::test_a_page_that_lies_is_told_in_words_and_changes_nothing"
BODY = "tests/test_sync_hostile.py::test_a_seal_that_does_not_open_is_put_aside_with_its_author_and_the_rest_goes_on"
KEY = "tests/test_sync_hostile.py::test_a_new_key_that_is_not_what_it_must_be"
SPEECH = "tests/test_sync_hostile.py::test_a_statement_about_members_that_breaks_a_rule"
DIRECTORY = "tests/test_hostile_histories.py::test_a_directory_that_says_what_it_may_not"
STALE = "tests/test_hostile_histories.py::test_a_directory_that_is_not_the_one_of_before"
RECEIPT = "tests/test_hostile_histories.py::test_a_receipt_that_does_not_hold_counts_for_nothing"
LATE = "tests/test_late.py::test_a_store_that_forges_a_late_submission_is_found_out"
ANSWER = "tests/test_client.py::test_whatever_answers_is_told_in_words"
FOUNDING = "tests/test_joining.py::test_a_store_that_swaps_the_escrow_key_or_the_root_is_found_out_before_anything_is_sent"
FILE = "tests/test_sync_attachments.py::test_whatever_a_hostile_store_serves_is_thrown_away_in_words_and_the_true_file_comes_later"
FILES = "tests/test_sync_attachments.py::"
FORGED = "tests/test_stick_hostile.py::test_a_carrier_who_forges_a_page_is_found_out"
ERRAND = "tests/test_stick_hostile.py::test_an_errand_holds_for_two_weeks_for_one_store_and_only_as_it_was_signed"
STICK = "tests/test_stick_hostile.py::"
COLLEAGUE = "tests/test_hostile_keys.py::"
OPENS = f"{COLLEAGUE}test_who_is_given_a_key_that_does_not_open_goes_on_writing_and_reads_everything_again"
HERE = "tests/test_forty_attacks.py::"
SYNC = "tests/test_sync_hostile.py::"
HISTORY = "tests/test_hostile_histories.py::"
JOIN = "tests/test_joining.py::"
CLIENT = "tests/test_client.py::"


class Attack(NamedTuple):
    """One attack. `says` is what a person reads, or the part of it that tells this attack; empty where nothing need be said.

    `code` is the word on the wire of a refusal whose sentence is the central store's own: the honest one refuses, and so stops
    whoever is in league with somebody between.
    """

    name: str
    does: str
    met: str
    says: str
    test: str
    code: str = ""


A: Final = Attack
ATTACKS: Final = (
    # Histories (C.8)
    A("a change dropped", "leaves one change out of a page", DETECTED, "has left out a change or changed their order", f"{PAGE}[drops one change]"),
    A("a change dropped and counted anew", "leaves one out and numbers the rest so that it fits", DETECTED, "has left out or moved a change of one writer", f"{PAGE}[drops one change and counts anew]"),
    A("part of a save dropped", "leaves out the middle of what was saved together", DETECTED, "has left out or moved a change of one writer", f"{PAGE}[drops a change inside a save]"),
    A("a change replayed", "hands a change out a second time", DETECTED, "has left out or moved a change of one writer", f"{PAGE}[repeats a change]"),
    A("changes reordered", "swaps two changes", DETECTED, "has left out a change or changed their order", f"{PAGE}[changes the order]"),
    A("a header altered", "changes what a change commits to", DETECTED, "has sent changes whose signature is not their writer's", f"{PAGE}[commits to other words]"),
    A("words altered", "flips a bit of a sealed change", DETECTED, "altered, or sealed with another key", f"{BODY}[alters the words]"),
    A("a signature taken away", "hands out changes that nobody vouches for", DETECTED, "has sent changes without the signature that vouches for them", f"{PAGE}[takes a signature away]"),
    A("a signature moved", "puts one save's signature under another", DETECTED, "has sent changes whose signature is not their writer's", f"{PAGE}[moves a save's signature to another save]"),
    A("a save broken apart", "puts something between changes that were saved together", DETECTED, "has broken a colleague's changes apart", f"{SYNC}test_a_save_is_not_broken_apart_by_something_in_its_middle"),
    A("a fork", "shows two laptops two histories", DETECTED, "The central store has shown two laptops two different histories of the same casebook.", f"{HISTORY}test_two_laptops_that_are_shown_two_histories_find_out_from_one_another"),
    A("an answer before its question", "numbers a change before one that its writer had seen", DETECTED, "The central store numbered a change before one that its author had already seen.", f"{HISTORY}test_a_change_is_not_numbered_before_what_its_author_had_seen"),
    A("another history behind one number", "counts the same number of other changes", DETECTED, "counts a casebook's changes differently from what it has shown this laptop before", f"{SYNC}test_another_history_behind_the_same_number"),
    A("rolled back", "has fewer changes than it has shown", DETECTED, "The central store has fewer changes of a casebook than this laptop has already seen from it", f"{SYNC}test_a_store_with_fewer_changes_than_were_seen"),
    A("rolled back behind a receipt", "no longer has what it acknowledged", DETECTED, "The central store no longer has changes that it gave this laptop a receipt for", f"{HISTORY}test_a_number_that_a_receipt_gave_is_not_given_again[withheld]"),
    A("the tail withheld", "keeps the newest changes back from one laptop", DETECTED, ", to compare with a colleague: ", f"{HISTORY}test_a_store_that_keeps_the_newest_back_is_only_late"),
    A("a casebook hidden", "leaves a casebook out of the news", DETECTED, "The central store no longer shows this laptop a casebook that it has shown before.", f"{SYNC}test_a_casebook_that_is_left_out_whole"),
    A("more announced than handed out", "announces changes and hands out fewer", DETECTED, "announced more changes of a casebook than it hands out", f"{PAGE}[drops the tail that it announced]"),
    A("a place written twice", "brings another change at a place of a lane that is taken", DETECTED, "The central store already holds another change at this place of the lane.", "tests/test_hub_push.py::test_another_change_at_a_kept_place_is_a_fork_and_counted_as_an_alarm", "lane_forked"),
    # Transplants and downgrades
    A("ciphertext of another casebook", "slips a change of one casebook into another", DETECTED, "has mixed two casebooks", f"{SYNC}test_a_change_of_another_casebook_is_not_slipped_in"),
    A("ciphertext of another key", "gives a seal another key's number", DETECTED, "altered, or sealed with another key", f"{SYNC}test_a_seal_is_not_moved_to_another_key"),
    A("ciphertext of another place", "gives one change the seal of another", DETECTED, "altered, or sealed with another key", f"{BODY}[moves the seal of another change here]"),
    A("a field of another header", "gives a change another writer", DETECTED, "has left out or moved a change of one writer", f"{PAGE}[names another writer]"),
    A("an older format", "names another version of the format", DETECTED, "has sent a change that this version cannot read", f"{PAGE}[names another format]"),
    A("a weaker suite", "names another suite of ciphers", DETECTED, "has sent a change that this version cannot read", f"{PAGE}[names a weaker suite]"),
    A("a weaker derivation", "brings a key slot with cheaper parameters", DETECTED, "never writes", "tests/test_crypto.py::test_parameters_that_leadworker_never_writes_are_refused_not_honoured"),
    A("another protocol", "answers in another version of the protocol", DETECTED, "The central store speaks another version of leadworker.", f"{ANSWER}[the next version]"),
    # Members and keys
    A("a silent member", "adds a reader whom nobody signed for", DETECTED, "the signature of a membership statement does not fit", f"{SYNC}test_a_silent_extra_member_that_nobody_signed"),
    A("a stranger's member", "adds a reader whom a stranger signed for", DETECTED, "the writer of a membership statement is not in the directory", f"{SYNC}test_a_silent_extra_member_that_a_stranger_signed"),
    A("a member under another name", "lets a device in as somebody else's", DETECTED, "a member's device is not that person's in the directory", f"{SPEECH}[a device under another's name]"),
    A("a member who may not decide", "carries a decision of somebody who may not make it", DETECTED, "only the lead, a supervisor or a manager may change who reads a book", f"{SYNC}test_a_member_says_what_they_may_not"),
    A("a key for an outsider", "carries a grant to somebody who is no member", DETECTED, "a key goes to member devices only", f"{SPEECH}[the key for somebody who is no member]"),
    A("a removal without a new key", "takes somebody out and lets the old key go on", DETECTED, "a removal is followed at once by a new key", f"{HERE}test_a_removal_that_brings_no_new_key_is_taken_by_nobody"),
    A("another key for one reader", "carries a colleague's new key that is another one for one reader than for the rest", DETECTED, "did not open on this laptop as", f"{OPENS}[another key than the rest]"),
    A("a key that does not open", "carries a colleague's new key that is noise for one reader", DETECTED, "did not open on this laptop as", f"{OPENS}[noise]"),
    A("a key that does not open for a reader who may not write", "carries a colleague's new key that is noise for somebody who only reads", DETECTED, "does not open on this laptop as", f"{COLLEAGUE}test_who_may_only_read_is_told_whom_to_name_and_a_good_key_gives_all_of_it_back"),
    A("a ladder that leads nowhere", "carries a colleague's new key that does not lead to the one before", HARMLESS, "", f"{COLLEAGUE}test_a_ladder_that_leads_nowhere_cuts_no_newcomer_off_from_the_history[noise]"),
    A("a key swapped inside its statement", "alters a seal inside a signed rotation", DETECTED, "a statement whose body is not the one that was signed", f"{SYNC}test_the_key_inside_a_rotation_is_not_swapped"),
    A("a reader forgotten", "gives a new key to all but one reader", DETECTED, "a new key goes to every member device and to nobody else", f"{KEY}[forgets a member]"),
    A("escrow forgotten", "gives a new key that escrow cannot open", DETECTED, "a new key is sealed to escrow as well", f"{KEY}[forgets escrow]"),
    A("history cut off", "gives a new key without one before it", DETECTED, "every key but the first carries the one before it", f"{KEY}[leaves the ladder out]"),
    A("an old key offered again", "gives a key the number of an old one", DETECTED, "a book's keys are numbered without a gap", f"{HERE}test_a_key_of_an_old_number_is_not_offered_again"),
    A("words under an old key", "takes what is sealed with a key from before a removal", DETECTED, "The changes are sealed with a key that is not in use", "tests/test_hub_push.py::test_only_the_present_key_is_taken", "wrong_epoch"),
    A("words of a reader", "lets through what somebody wrote who may only read", DETECTED, "has let through a change by somebody who may not write in the casebook", f"{SYNC}test_words_of_somebody_who_may_only_read_are_not_taken_from_a_store_that_lets_them_through"),
    A("a removal hidden from the one removed", "does not show somebody that they were taken out", DETECTED, "This laptop is not a member of this casebook", f"{HERE}test_a_removal_that_is_hidden_from_the_one_removed_gets_none_of_her_words_into_the_record"),
    A("more than up to the leaving", "hands a former reader what was written after", HARMLESS, "this laptop was not given the key", f"{HERE}test_who_left_is_shown_more_than_up_to_their_leaving_and_can_read_none_of_it"),
    A("less than up to the leaving", "hands a former reader less than they may see", HARMLESS, "", f"{HERE}test_who_left_is_shown_less_than_up_to_their_leaving_and_is_only_late"),
    # The directory, its root and escrow
    A("keys substituted at enrolment", "swaps a newcomer's keys for its own", HARMLESS, "", f"{JOIN}test_a_store_that_swaps_the_keys_of_a_newcomer_gets_nobody_in"),
    A("a request without the words", "brings keys with a proof that it cannot make", HARMLESS, "", f"{JOIN}test_a_request_without_the_words_is_not_countersigned"),
    A("escrow swapped for a newcomer", "shows a founding with its own escrow key", DETECTED, "The central store's organisation is not signed as it must be.", FOUNDING),
    A("escrow swapped in the directory", "alters the escrow key in the directory", DETECTED, "The central store sent a directory that its root did not sign", f"{JOIN}test_a_newcomer_believes_no_directory_whose_escrow_key_was_swapped"),
    A("another root for a newcomer", "shows an organisation of its own making", DETECTED, "This invite is for another organisation than the one that this central store serves.", FOUNDING),
    A("another organisation after joining", "shows another directory once somebody has asked", DETECTED, "The central store now shows another organisation than the one you joined.", f"{JOIN}test_a_newcomer_believes_no_directory_but_that_of_the_root_in_the_words"),
    A("a new root by one administrator", "carries a new root that one administrator signed alone", DETECTED, "a root is replaced by the root itself, or by two administrators together", f"{HERE}test_a_new_root_needs_a_second_administrator"),
    A("a device that nobody may let in", "carries an enrolment of somebody who is no administrator", DETECTED, "only an administrator may speak of other people's devices", f"{DIRECTORY}[a device that a key worker lets in]"),
    A("a stale directory", "shows the directory as it was", DETECTED, "The central store has fewer statements in its directory than this laptop has already seen", f"{STALE}[an older one]"),
    A("another directory of the same length", "shows another directory than before", DETECTED, "The central store counts its directory differently from what it has shown this laptop before.", f"{STALE}[another one of the same length]"),
    A("two directories", "shows two laptops two directories", DETECTED, "its writer was shown another directory", f"{SPEECH}[after another directory]"),
    A("a directory kept back", "keeps statements of the directory from one laptop", DETECTED, "its writer had seen more of the directory than was shown here", f"{SPEECH}[after a directory that is kept back here]"),
    A("an invite replayed", "lets a second device in with a used invite", DETECTED, "this invite was used already", f"{DIRECTORY}[an invite that was used]"),
    A("an invite expired", "lets somebody in with an invite that has run out, its clock turned back", DETECTED, "The invite has expired before it was countersigned.", f"{JOIN}test_an_invite_that_runs_out_while_the_administrators_laptop_is_shut"),
    A("a small-order key", "enrols a key under which anybody can sign", DETECTED, "a device's key is not sound", f"{DIRECTORY}[a key under which anybody can sign]"),
    A("a second spelling of a key", "enrols a key that is not in its one spelling", DETECTED, "not sound", "tests/test_hub_control.py::test_keys_under_which_anybody_can_sign_are_never_enrolled"),
    A("another laptop for the one that waits", "brings its own keys for a further laptop", DETECTED, "These are not the check words of the laptop that waits.", f"{JOIN}test_a_second_laptop_is_let_in_by_typing_its_check_words_on_the_first"),
    # Receipts, late submissions, time
    A("a receipt forged", "answers a push with a receipt that it did not sign", DETECTED, "The central store's receipt is not signed as it must be.", f"{RECEIPT}[forged]"),
    A("a receipt for other changes", "answers with another casebook's receipt", DETECTED, "The central store's receipt is not signed as it must be.", f"{RECEIPT}[of the other casebook]"),
    A("a number given twice", "gives a change the number of another", DETECTED, "The central store's receipts do not fit one another or what it has sent.", f"{RECEIPT}[with a number that another change has]"),
    A("another history than the receipt's", "numbers otherwise than it has acknowledged", DETECTED, "shows another history than the one that it gave this laptop a receipt for", f"{HISTORY}test_a_number_that_a_receipt_gave_is_not_given_again[retold]"),
    A("another order beneath a receipt", "tells what came before an acknowledged change in another order", DETECTED, "shows another history than the one that it gave this laptop a receipt for", f"{HISTORY}test_what_came_before_a_receipt_is_not_told_in_another_order"),
    A("a late submission forged", "alters what was handed in late", DETECTED, "is not what its writer signed", f"{LATE}[a word]"),
    A("a late submission in another's name", "seals words to the lead as somebody else's", DETECTED, "the signature is not its writer's", "tests/test_late.py::test_a_member_in_league_with_the_store_cannot_hand_in_in_another_s_name"),
    A("time that jumps", "turns its clock by a year", DETECTED, "This laptop's clock is", f"{HISTORY}test_a_store_whose_clock_is_a_year_off_is_served_and_warned_about"),
    A("a request played again", "sends a laptop's signed request a second time", DETECTED, "The central store has seen this very request before", "tests/test_hub_requests.py::test_a_recorded_request_cannot_be_played_again", "replayed"),
    # The line
    A("an oversize answer", "answers with twenty megabytes", DETECTED, "The central store sent more than it ever should.", f"{ANSWER}[twenty megabytes]"),
    A("a compressed answer", "answers with what unfolds into more", DETECTED, "The central store answered with something that cannot be read.", f"{ANSWER}[compressed without being asked]"),
    A("an answer without end of depth", "answers with lists in lists in lists", DETECTED, "The central store answered with something that cannot be read.", f"{ANSWER}[lists in lists in lists]"),
    A("a slow loris", "feeds a laptop byte by byte", DETECTED, "No way through to the central store just now.", f"{CLIENT}test_a_store_that_hangs_or_feeds_byte_by_byte_holds_nobody_up"),
    A("a wrong Content-Length", "promises more bytes than it sends", DETECTED, "No way through to the central store just now.", f"{ANSWER}[half an answer]"),
    A("a sign-in page", "answers with HTML", DETECTED, "Something else than the central store answered", f"{ANSWER}[the sign-in page of a hotel]"),
    A("a redirect", "sends a laptop to another host", DETECTED, "Something else than the central store answered", f"{ANSWER}[news that lead elsewhere]"),
    A("an address without TLS", "is named with http://", DETECTED, "The address of a central store begins with https://. Nothing was sent.", f"{CLIENT}test_an_address_that_would_send_in_the_clear_is_refused"),
    A("TLS stripped away", "answers in the clear where TLS was asked for", DETECTED, "No way through to the central store just now.", f"{CLIENT}test_tls_that_is_stripped_away_is_no_way_through"),
    A("a pause without end", "asks for a pause of hours", HARMLESS, "", "tests/test_runner.py::test_a_store_cannot_ask_for_a_pause_longer_than_the_longest"),
    # Attached files
    A("a file altered", "flips a bit of an attached file", DETECTED, "The central store handed out something else than the file that a colleague's laptop sealed.", f"{FILE}[a flipped bit]"),
    A("a file swapped", "hands out other bytes for an attached file", DETECTED, "The central store handed out something else than the file that a colleague's laptop sealed.", f"{FILE}[other bytes]"),
    A("a file that grows", "sends more of an attached file than there is", DETECTED, "The central store handed out something else than the file that a colleague's laptop sealed.", f"{FILE}[too many bytes]"),
    A("a file without an end", "sends a part of an attached file that does not end", DETECTED, "The central store sent more than it ever should.", f"{FILE}[endless]"),
    A("a file hidden", "says that it does not have a file for which it gave a receipt", DETECTED, "The central store does not have a file of which a colleague's laptop was told that it has it.", f"{FILES}test_a_store_that_lost_a_file_with_an_old_backup_is_given_it_again"),
    A("a file that it never took", "says that it has the whole of a file, without a receipt", DETECTED, "The central store did not take an attached file as it must", f"{FILES}test_without_a_sound_receipt_no_file_counts_as_sent[has it all]"),
    A("a file that is never whole", "says again and again that it needs the first part", DETECTED, "The central store did not take an attached file as it must", f"{FILES}test_without_a_sound_receipt_no_file_counts_as_sent[never goes on]"),
    # By stick: whoever carries it is in league with whoever made the file
    A("a page that nobody vouches for", "brings a page by stick without its signature", DETECTED, "does not carry the central store's signature as it must", f"{FORGED}[leaves the store's signature out]"),
    A("a page renumbered by hand", "brings a page by stick in another order", DETECTED, "counts a casebook's changes differently from what it has sent", f"{FORGED}[numbers two changes the other way round]"),
    A("the newest left out by hand", "brings all but the newest change by stick", DETECTED, "does not carry the central store's signature as it must", f"{FORGED}[leaves the newest change out]"),
    A("the first left out by hand", "brings all but the first change by stick", DETECTED, "This file goes on from a later place than where this laptop stands", f"{FORGED}[leaves the first change out]"),
    A("a file cut off or altered", "brings half a file by stick, or one with a flipped bit", DETECTED, "cannot be read", f"{STICK}test_a_stick_that_was_pulled_out_or_went_bad_loses_nothing"),
    A("an errand played for ever", "goes on an errand of long ago", DETECTED, "This file was written more than two weeks ago", f"{ERRAND}[of more than two weeks ago]", "errand_old"),
    A("an errand for somebody else", "goes on one laptop's errand for another", DETECTED, "The laptop that this file names did not sign it for this central store.", f"{ERRAND}[for another laptop than signed it]", "errand_wrong"),
    A("an errand beyond its purpose", "asks on an errand for more than to send and fetch", DETECTED, "For another laptop one can only send and fetch.", f"{STICK}test_on_an_errand_one_sends_and_fetches_and_does_nothing_else", "errand_not_for_this"),
    A("an errand slipped into a request", "makes a laptop's own request one on an errand", DETECTED, "The signature of this request does not fit it", f"{STICK}test_an_errand_is_part_of_what_the_carrier_signs", "signature_wrong"),
    A("an errand for a lost laptop", "goes for a laptop that was reported lost", DETECTED, "The laptop that wrote this file was taken out of the organisation.", f"{STICK}test_nobody_goes_for_a_laptop_that_was_reported_lost_and_a_lost_laptop_goes_for_nobody", "errand_revoked"),
    A("words that a terminal obeys", "puts escape sequences into its refusals", HARMLESS, "", f"{ANSWER}[a refusal that a terminal would obey]"),
)  # fmt: skip


def attacks_markdown() -> str:
    """Return docs/attacks.md."""
    detected = sum(one.met == DETECTED for one in ATTACKS)
    lines = [
        "# Attacks of an evil central store",
        "",
        f"{len(ATTACKS)} named attacks, {detected} detected and {len(ATTACKS) - detected} harmless. The store is in the attacker's hands, in some of them with a",
        "colleague, somebody on the line, or whoever carries a stick. After each, nothing of the lie is in the record, and over an honest line everything comes.",
        "The table is written from tests/attacks.py; a test holds every row to its test and to the words of the program.",
        "",
        "| attack | the store … | it is | a person reads | test |",
        "|---|---|---|---|---|",
    ]
    for one in ATTACKS:
        place = one.test.partition("::")[0]
        case = one.test.partition("[")[2].removesuffix("]")
        says = f"“{one.says}”" if one.says else "nothing"
        lines.append(f"| {one.name} | {one.does} | {one.met} | {says} | {place}{': ' + case if case else ''} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path("docs/attacks.md").write_text(attacks_markdown(), "utf-8")
