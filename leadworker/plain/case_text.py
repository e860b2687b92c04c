"""A casebook's changes in reading order: as lines for people, and as one JSON object a change for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from leadworker.change import DROP, Content
from leadworker.clock import Moment
from leadworker.record import kept_fields, topics
from leadworker.text import clean, one_line

_WHEN = frozenset({"happened_offset", "made_offset", "starts_offset", "taken_in_offset"})


class Told(msgspec.Struct, frozen=True):
    """One change of a casebook: its number there (0 for none yet), who wrote it, and when the store took it (UTC ms)."""

    n: int
    written_by: str
    device: str
    received_ms: int
    content: Content
    id: str


def as_json(told: Told) -> dict[str, Any]:
    """Return a change as a JSON object. Times are ISO 8601 with the writer's own offset, or UTC."""
    content = told.content
    return {
        "number": told.n, "id": told.id, "written_by": told.written_by, "device": told.device,
        "written": Moment(content.wrote_at, content.offset).local().isoformat(timespec="seconds"),
        "received": _utc(told.received_ms), "topic": content.topic, "record": content.record, "verb": content.verb,
        "values": _open_values(content),
    }  # fmt: skip


def lines(changes: list[Told], files: Mapping[str, str] | None = None) -> Iterator[str]:
    """Return everything that was written, the oldest first, each with who wrote it and when.

    `files` says of changes that name a file, by their ids, where that is.
    """
    for told in changes:
        content = told.content
        wrote = Moment(content.wrote_at, content.offset).local()
        what = one_line(content.topic.replace("_", " "))
        did = "took away" if content.verb == DROP else "wrote"
        yield f"{told.n or '-'}. {wrote:%Y-%m-%d %H:%M} {one_line(told.written_by)} {did}: {what} {one_line(content.record[-8:])}"
        for name, value in _open_values(content).items():
            if value not in ("", 0, False) and name not in _WHEN and name != "person_id":
                yield from _field(_label(content.topic, name), _said(name, value))
        if files and told.id in files:
            yield from _field("in the bundle", files[told.id])
        yield ""


def _open_values(content: Content) -> dict[str, Any]:
    """Return what a change says, without what opens something else."""
    kind = topics().get(content.topic)
    fields = kept_fields(kind) if kind is not None else {}
    return {name: value for name, value in content.values.items() if name not in fields or not fields[name].secret}


def _label(topic: str, name: str) -> str:
    kind = topics().get(topic)
    kept = kept_fields(kind).get(name) if kind is not None else None
    return kept.words if kept is not None and kept.words else name.replace("_", " ")


def _said(name: str, value: Any) -> str:
    if name.endswith("_ms") and isinstance(value, int):
        return _utc(value)
    return "yes" if value is True else clean(str(value))


def _field(label: str, text: str) -> Iterator[str]:
    first, *rest = text.split("\n")
    yield f"   {one_line(label)}: {first}"
    yield from (f"      {line}" for line in rest)


def _utc(ms: int) -> str:
    try:
        return datetime.fromtimestamp(ms / 1000, tz=UTC).isoformat(timespec="seconds") if ms else ""
    except (OverflowError, ValueError, OSError):
        return ""
