"""Every topic that declares records, in one place: importing this makes `leadworker.record.topics` complete."""

from __future__ import annotations

from leadworker.domain import actions, alerts, attachments, drafts, journal, people, visits

__all__ = ["actions", "alerts", "attachments", "drafts", "journal", "people", "visits"]
