"""Texts that would harm a terminal, a reader or a parser of markup, as a note, a contact file or a colleague may bring them."""

from __future__ import annotations

import itertools

_INTRODUCERS = {
    "CSI": ("\x1b[", "\x9b"), "OSC": ("\x1b]", "\x9d"), "DCS": ("\x1bP", "\x90"), "APC": ("\x1b_", "\x9f"),
    "PM": ("\x1b^", "\x9e"), "SOS": ("\x1bX", "\x98"), "SS2": ("\x1bN", "\x8e"), "SS3": ("\x1bO", "\x8f"),
}  # fmt: skip
_BODIES = {
    "CSI": ("2J", "3J", "?1049l", "6n", "31m", "999;999H", "8;200;500t", "21t", "?1000h", ">1u", "!p", "5i"),
    "OSC": (
        "52;c;cHduZWQ=", "0;pwned", "2;pwned", "8;;https://evil.example", "4;1;?", "10;?", "50;x", "777;notify;a;b",
        "9;pwned", "1337;File=inline=1:AAAA", "22;wait",
    ),
    "DCS": ("$q\"p", "+q544e", "q#0;2;0;0;0#0~~", "=1s"),
    "APC": ("Gf=100;AAAA", "pwned"),
    "PM": ("pwned",),
    "SOS": ("pwned",),
    "SS2": ("A",),
    "SS3": ("P",),
}  # fmt: skip
_ENDS = ("\x07", "\x1b\\", "\x9c", "")


def escapes() -> list[str]:
    """Return every family of sequences, seven and eight bits, ended in every way and not at all."""
    found = []
    for family, bodies in _BODIES.items():
        for opening, body, end in itertools.product(_INTRODUCERS[family], bodies, _ENDS):
            found.append(f"a{opening}{body}{end}b")
    singles = [
        "\x1bc",
        "\x1b7",
        "\x1b8",
        "\x1b=",
        "\x1b#8",
        "\x1b(0",
        "\x1b%@",
        "\x0e",
        "\x0f",
        "\x08\x08\x08",
        "\x0c",
        "\x07",
        "\x00",
        "\x7f",
        "\x1a",
        "\x18",
    ]
    return found + [f"x{single}y" for single in singles] + ["\x1b", "a\x1b\x1b[2Jb", "\x1b[" * 50]


def markup() -> list[str]:
    """Return what the parser of markup would run, style, or fall over."""
    tags = [
        "@click=app.boom",
        "@click=app.boom('x')",
        "@click=screen.boom",
        "@mouse.down=app.boom",
        "link=https://evil.example",
        "red",
        "b",
        "reverse",
        "on red 50%",
        "$primary",
        "/",
        "/nope",
        "/b",
    ]
    found = [f"[{tag}]press me[/]" for tag in tags] + [f"x [{tag}] y" for tag in tags] + [f"x [/{tag} y" for tag in tags]
    odd = [
        "[",
        "]",
        "[[",
        "]]",
        "[/",
        "[/]",
        "[]",
        "[ ]",
        "\\[b]",
        "\\\\[b]",
        "[b][i][/b][/i]",
        "[true, false]",
        "[1]",
        "met [/ today",
        "[@click=",
        "[@click=app.boom]",
        "['",
        '["',
        "[$",
        "$x",
        "$(ls)",
        "{x}",
        "{{",
        ":smile:",
        "&amp;",
        "**b**",
        "`x`",
        "[a](b)",
    ]
    return found + odd + ["[" * 10_000, "[b]" * 2_000]


def deceiving() -> list[str]:
    """Return direction controls, invisible letters, floods of marks, and letters that exist nowhere."""
    bidi = [chr(point) for point in (0x202A, 0x202B, 0x202C, 0x202D, 0x202E, 0x2066, 0x2067, 0x2068, 0x2069, 0x200E, 0x200F, 0x061C)]
    hidden = [chr(point) for point in (0x200B, 0x2060, 0xFEFF, 0x00AD, 0x180E, 0x3164, 0x115F, 0x2800, 0xFE0F, 0xE0041, 0x034F)]
    found = [f"not {mark}safe" for mark in (*bidi, *hidden)]
    found += ["e" + "\u0301" * 300, "a" + "\u0489" * 200, "\u200d" * 40, "x\u200dy", "\u2028next\u2029", "\x85next"]
    found += [
        chr(0xE000),
        chr(0x10FFFF),
        "\U000e0100",
        "\ufdd0",
        "👨\u200d👩\u200d👧",
        "۞",
        "Zoë",
        "שלום",
        "مرحبا",
        "東京",
        "🇬🇧",
        "ก็็็็็็็็",
    ]
    return found


def controls() -> list[str]:
    """Return each control character of C0 and C1, alone in a word."""
    return [f"a{chr(point)}b" for point in (*range(0x20), *range(0x7F, 0xA0))]


def corpus() -> list[str]:
    """Return all of them; over three hundred."""
    return [*escapes(), *markup(), *deceiving(), *controls()]


LONG_LINE = "\x1b]52;c;cHduZWQ=\x07[@click=app.boom]\u202ex " * 25_000
"""A line of about a megabyte with harm all along it."""

SURROGATE = "half a pair: \ud83d"
