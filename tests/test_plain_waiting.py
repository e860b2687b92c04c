"""What waits to be sent and why it has not gone, on the plain path."""

from __future__ import annotations

from leadworker.domain import sending
from tests.plain_world import Plain, empty, plain, template

__all__ = ["empty", "plain", "template"]


def test_the_plain_path_says_what_waits_and_why_without_asking_the_network(plain: Plain) -> None:
    answer, document = plain("sync", "--why"), plain("sync", "--why", "--json").json()

    assert "are not on the central store yet." in answer.out and sending.NO_ORGANISATION in answer.out
    assert "Keira Okafor-Lane, action, Bring the bus pass form." in answer.out
    assert {one["why"] for one in document["waiting"]} == {sending.NO_ORGANISATION}
    assert {one["where"] for one in document["waiting"]} == {"here"}
    (entry,) = plain("timeline", "keira", "--json").json()["entries"]
    assert (entry["where"], entry["why"]) == ("here", sending.NO_ORGANISATION)
