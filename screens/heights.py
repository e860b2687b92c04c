"""Where each row of a list begins, in lines, for rows of one height or of many."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate


class Heights:
    """Finds a row's first line, and the row at a line, without walking. Rows of one height need no table."""

    def __init__(self, count: int, uniform: int | None, heights: Iterable[int] = ()) -> None:
        """`heights` is read only when `uniform` is None; it then has one entry for each of `count` rows."""
        self._uniform = uniform
        self._ends = array("L") if uniform is not None else array("L", accumulate(heights))
        self.total = count * uniform if uniform is not None else (self._ends[-1] if count else 0)

    def start(self, row: int) -> int:
        """Return the first line of `row`, counted from 0."""
        if self._uniform is not None:
            return row * self._uniform
        return self._ends[row - 1] if row else 0

    def height(self, row: int) -> int:
        """Return how many lines `row` takes."""
        return self._uniform if self._uniform is not None else self._ends[row] - self.start(row)

    def row_at(self, line: int) -> int:
        """Return the row that `line` belongs to."""
        return line // self._uniform if self._uniform else bisect_right(self._ends, line)
