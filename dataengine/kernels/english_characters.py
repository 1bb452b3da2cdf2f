"""What each character may be to the English splitter: one word of flags a code point.

The classes are those that decide where spaCy's English tokenizer (3.8) cuts, with which datatrove counts words, and
those of datatrove's own filters (0.10). They are written down here by Unicode category and block where that says the
same, so the table is made in 60 ms at first use and follows them to the character for Unicode 14; pictographs that
came after Unicode 11 are unknown to spaCy, and so to us.
"""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np

SPACE = 1
"""What ``str.isspace`` calls space."""
ALPHA, LOWER, UPPER = 2, 4, 8
"""Letters of the alphabets spaCy knows. A script without case is both LOWER and UPPER."""
PREFIX, SUFFIX = 16, 32
"""Cut off at the beginning or the end of a chunk, always."""
PICTURE = 64
"""Symbols and dingbats: cut out wherever they stand."""
QUOTE = 128
BEFORE_DOT = 256
"""A full stop at the end of a chunk is cut off behind these."""
VISIBLE = 512
"""Not in datatrove's set of punctuation marks: a token with one of these is a word, not a symbol."""
LETTER = 1024
"""What ``str.isalpha`` calls a letter."""
NOT_PUNCTUATION = 2048
"""Of a category other than P."""
ENDS_SENTENCE = 4096
DASH = 8192
"""``-``, ``–``, ``—``, ``~``: cut out between letters."""
HOST = 16384
"""May stand in the name of a host."""
TERMINAL = 32768
"""datatrove's marks that end a line of prose: a few more than end a sentence."""
DIGIT = 1 << 16
"""0 to 9 only."""
CURRENCY = 1 << 17
ROLE = 1 << 18
"""Plays any part in a rule: a chunk without one of these and without a digit is one token, or an exception."""
INNER = 1 << 19
"""May be cut out in the middle of a chunk."""

SIZE = 0x20000
"""Code points in the table: two planes. Han beyond them is ALPHA, everything else beyond a plain VISIBLE mark."""

LEADING = "§%=—–"
MARKS = "…,:;!?¿؟¡()[]{}<>_#*&。？！，、；：～·।،۔؛٪"
QUOTES = "'\"”“`‘´’‚,„»«「」『』（）〔〕【】《》〈〉\u2329\u232a⟦⟧"
MONEY = "$£€¥฿₽﷼₴₠₡₢₣₤₥₦₧₨₩₪₫₭₮₯₰₱₲₳₵₶₷₸₹₺₻₼₾₿"
INSIDE = ".…+-*^,–—~:<>=/"

UNCASED = (
    "591-5F4 620-64A 66E-6D5 6E5-6FF 750-77F 8A0-8BD 900-9FF B80-CFF D80-DFF 1100-137F 2E80-2FDF 2FF0-30FF 31C0-31EF "
    "3200-4DBF 4E00-9FFF AC00-D7AF F900-FAFF FB1D-FBB1 FBD3-FD3D FD50-FDC7 FDF0-FDFB FE30-FE4F FE70-FEFC 1EE00-1EEBB "
    "1F200-1F2FF"
)
"""Hebrew, Arabic, scripts of India, Ethiopic, Hangul, kana and Han: whole blocks, marks in them too."""
CASED = (
    "386-3CE 400 401 403-40A 40C 40D 410-451 453-45A 45C 45D 490 491 496 497 4A2 4A3 4AE 4AF 4BA 4BB 4D8 4D9 4E8 4E9"
)
"""Greek and Cyrillic letters; those of Latin are told by their names."""
NOT_GREEK = "390 3AA-3AB 3B0 3CA-3CB"
NOT_LATIN = "1C5 1C8 1CB 1F2 2184 A7BA-A7F6 AB66-AB68 FB00-FB06"
NEW_PICTURES = (
    "166D 2B97 2BC9 2BFF 2E50-2E51 32FF FD40-FD4F FDCF FDFE-FDFF 1019C 11FD5-11FF1 1CF50-1CFC3 1D1E9-1D1EA 1E14F 1ED2E "
    "1F10D-1F10F 1F16C-1F16F 1F1AD 1F6D5-1F6DF 1F6FA-1F6FF 1F7E0-1F7FF 1F8B0-1F8FF 1F90C-1F90F 1F93F 1F971-1F972 "
    "1F977-1F979 1F97B 1F9A3-1F9AF 1F9BA-1F9BF 1F9C3-1F9CF 1FA00-1FA5F 1FA6E-1FFFF"
)
SYMBOLS = (
    "0-8 B-1F 21-2F 3A-40 5B-60 7B-9F AB B4 BB 2013-2014 2019 201C-201E 2026 2236 2501 25BA 3001 3008-300D 3010-3011 "
    "FF05 FF08-FF09 FF0C FF11 FF1A-FF1B FF5E"
)
"""datatrove's punctuation, besides what ends a line; U+FF11, a full-width 1, is in it by accident."""
SENTENCE_ENDS = (
    "21 2E 3F 589 61F 6D4 700-702 7F9 964-965 104A-104B 1362 1367-1368 166E 1735-1736 1803 1809 1944-1945 1AA8-1AAB "
    "1B5A-1B5B 1B5E-1B5F 1C3B-1C3C 1C7E-1C7F 203C-203D 2047-2049 2E2E 2E3C 3002 A4FF A60E-A60F A6F3 A6F7 A876-A877 "
    "A8CE-A8CF A92F A9C8-A9C9 AA5D-AA5F AAF0-AAF1 ABEB FE52 FE56-FE57 FF01 FF0E FF1F FF61 10A56-10A57 11047-11048 "
    "110BE-110C1 11141-11143 111C5-111C6 111CD 111DE-111DF 11238-11239 1123B-1123C 112A9 1144B-1144C 115C2-115C3 "
    "115C9-115D7 11641-11642 1173C-1173E 11A42-11A43 11A9B-11A9C 11C41-11C42 16A6E-16A6F 16AF5 16B37-16B38 16B44 1BC9F "
    "1DA88"
)
MORE_LINE_ENDS = (
    "61D-61E 837 839 83D-83E 17D4-17D6 17D9-17DA 1B7D-1B7E 2E53-2E54 10F55-10F59 10F86-10F89 11944 11946 11EF7-11EF8 "
    "11F43-11F44 16E98"
)


def code_points(ranges: str) -> list[int]:
    """The code points of ranges written as ``"21 2E-2F"``, in hexadecimal."""
    bounds = [part.partition("-") for part in ranges.split()]
    return [code for first, _, last in bounds for code in range(int(first, 16), int(last or first, 16) + 1)]


@cache
def character_flags() -> np.ndarray:
    """Flags of each code point below `SIZE`: uint32, shape (131072,)."""
    categories = np.array([unicodedata.category(chr(code)) for code in range(SIZE)])
    table = np.zeros(SIZE, np.uint32)

    def mark(where: np.ndarray | list[int] | str, flags: int) -> None:
        table[[ord(letter) for letter in where] if isinstance(where, str) else where] |= np.uint32(flags)

    mark([code for code in range(0x3001) if chr(code).isspace()], SPACE)
    mark(np.char.startswith(categories, "L"), LETTER)
    mark(~np.char.startswith(categories, "P"), NOT_PUNCTUATION)
    mark(code_points(UNCASED), ALPHA | LOWER | UPPER)
    lower, upper = _cased(categories)
    mark(lower, ALPHA | LOWER)
    mark(upper, ALPHA | UPPER)
    mark([0x1BB, 0x1C5, 0x1C8, 0x1CB, 0x1F2], ALPHA)
    pictures = categories == "So"
    pictures[code_points(NEW_PICTURES)] = False
    mark(pictures, PICTURE | PREFIX | SUFFIX | INNER | ROLE)
    mark(LEADING, PREFIX)
    mark(MARKS + QUOTES, PREFIX | SUFFIX)
    mark("—–", SUFFIX)
    mark(QUOTES, QUOTE)
    mark(MONEY, PREFIX | CURRENCY)
    mark("0123456789", DIGIT)
    mark((table & (LOWER | DIGIT)) > 0, BEFORE_DOT)
    mark(MARKS + QUOTES + "%²-+|", BEFORE_DOT)
    mark("-–—~", DASH)
    mark(INSIDE, INNER)
    mark(LEADING + MARKS + QUOTES + MONEY + INSIDE, ROLE)
    mark(code_points(SENTENCE_ENDS), ENDS_SENTENCE | TERMINAL)
    mark(code_points(MORE_LINE_ENDS), TERMINAL)
    table |= np.uint32(VISIBLE)
    table[code_points(SYMBOLS + " " + SENTENCE_ENDS + " " + MORE_LINE_ENDS)] &= np.uint32(~VISIBLE & 0xFFFFFFFF)
    table[[ord(sign) for sign in "+=<>|^$~`"]] |= np.uint32(NOT_PUNCTUATION)
    host = [code for code in range(128) if chr(code).isalnum()]
    mark([*host, *range(0xA1, 0x10000)], HOST)
    table.flags.writeable = False
    return table


def _cased(categories: np.ndarray) -> tuple[list[int], list[int]]:
    """Lower and upper case letters of the Latin, Greek and Cyrillic alphabets, as far as spaCy knows them."""
    latin = {
        code
        for code in range(0x10000)
        if categories[code][0] == "L" and unicodedata.name(chr(code), "").startswith(("LATIN", "FULLWIDTH LATIN"))
    }
    known = latin - set(code_points(NOT_LATIN)) | set(code_points(CASED)) - set(code_points(NOT_GREEK))
    lower = [code for code in known if categories[code] == "Ll"] + [0x294]
    upper = [code for code in known if categories[code] == "Lu"] + [0x3A2]
    return lower, upper
