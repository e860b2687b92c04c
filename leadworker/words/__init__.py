"""Reads what a worker types (a note's first line, the next lines, dates, ages) and says dates back in words.

Pure: text and a moment go in, frozen values come out; nothing is stored, shown or guessed silently.
``first_line`` and ``next_lines`` are the two readers; ``days``, ``times``, ``lengths``, ``kinds``, ``places``,
``people`` and ``owners`` each read one part of a line. ``dates`` reads births and says ages, ``saying`` says days.
"""

from __future__ import annotations
