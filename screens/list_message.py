"""What every message of the house list carries: which list, and what it is about."""

from __future__ import annotations

from typing import Any

from textual.message import Message


class ListMessage(Message):
    """Something that a list says; `item` is what it is about."""

    def __init__(self, sender: Any, item: Any = None) -> None:
        super().__init__()
        self.list: Any = sender
        self.item = item

    @property
    def control(self) -> Any:
        """The list, for `@on(VList.Opened, "#visits")`."""
        return self.list
