"""A vault as its owner meets it: made, opened, held by one, on a doubtful clock, a full disk, from a backup."""

from __future__ import annotations
