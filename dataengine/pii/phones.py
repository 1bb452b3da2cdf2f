"""Telephone numbers: international ones by their country's lengths, national ones by how they are written.

A number with ``+`` needs nothing more; one written as a country writes it (a trunk 0 and groups, or three, three and
four digits) stands by itself; all others need a word such as *phone*, *fax* or *call* beside them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from dataengine.pii.window import Hit, Window, digits_of, words

LENGTHS_TABLE = """
    1:10-10 7:10-10 20:8-10 27:9-9 30:10-10 31:9-11 32:8-9 33:9-9 34:9-9 36:8-9 39:6-12 40:9-9 41:9-9 43:4-13
    44:7-10 45:8-8 46:7-10 47:5-8 48:9-9 49:5-13 51:8-9 52:10-11 53:6-8 54:10-11 55:10-11 56:9-9 57:8-10 58:10-10
    60:8-10 61:5-10 62:7-12 63:8-10 64:8-10 65:8-11 66:8-10 81:9-10 82:8-11 84:7-10 86:10-12 90:10-10 91:10-10
    92:8-11 93:9-9 94:9-9 95:7-10 98:10-10 211:9-9 212:9-9 213:8-9 216:8-8 218:8-9 220:7-7 221:9-9 222:8-8 223:8-8
    224:8-9 225:8-10 226:8-8 227:8-8 228:8-8 229:8-10 230:7-8 231:7-9 232:8-8 233:9-9 234:7-10 235:8-8 236:8-8
    237:8-9 238:7-7 239:7-7 240:9-9 241:7-8 242:9-9 243:7-9 244:9-9 245:7-9 246:7-7 247:5-6 248:7-7 249:9-9 250:8-9
    251:9-9 252:6-9 253:8-8 254:9-10 255:9-9 256:9-9 257:8-8 258:8-9 260:9-9 261:9-9 262:9-9 263:5-10 264:8-9
    265:7-9 266:8-8 267:7-8 268:8-8 269:7-7 290:4-5 291:7-7 297:7-7 298:6-6 299:6-6 350:8-8 351:9-9 352:4-11
    353:7-10 354:7-9 355:8-9 356:8-8 357:8-8 358:5-12 359:7-9 370:8-8 371:8-8 372:7-10 373:8-8 374:8-8 375:9-10
    376:6-9 377:8-9 378:6-12 380:9-9 381:8-9 382:8-8 383:8-9 385:8-9 386:8-8 387:8-9 389:8-8 420:9-9 421:9-9 423:7-9
    500:5-5 501:7-7 502:8-8 503:8-8 504:8-8 505:8-8 506:8-8 507:7-8 508:6-6 509:8-8 590:9-9 591:8-8 592:7-7 593:8-9
    594:9-9 595:8-9 596:9-9 597:6-7 598:8-8 599:7-8 670:7-8 672:6-6 673:7-7 674:7-7 675:7-8 676:5-7 677:5-7 678:5-7
    679:7-7 680:7-7 681:6-6 682:5-5 683:4-7 685:5-10 686:5-8 687:6-6 688:5-6 689:6-8 690:4-7 691:7-7 692:7-7 800:8-8
    850:6-10 852:8-9 853:8-8 855:8-9 856:8-10 870:9-9 880:6-10 886:8-9 960:7-7 961:7-8 962:8-9 963:8-9 964:8-10
    965:8-8 966:9-9 967:7-9 968:8-8 970:8-9 971:8-9 972:8-9 973:8-8 974:8-8 975:7-8 976:8-8 977:8-10 992:9-9 993:8-8
    994:9-9 995:9-9 996:9-9 998:9-9
"""
LENGTHS = {
    code: tuple(map(int, span.split("-")))
    for code, _, span in (entry.partition(":") for entry in LENGTHS_TABLE.split())
}
"""Country calling code -> how few and how many digits may follow it (ITU-T E.164 and the national plans)."""

GAP = rb"(?:[ ./]?\(0?\)[ ./]?|\)[ -]?|[ .-]?\(|[ ./-]|  |---| [-/] )"
END = rb"(?![\w%]|[.,]\d|[-/=+]\w)"
EXTENSION = rb"(?:[ ,;]{0,2}(?:x|ext\.?|extension|#|poste|anexo|dw)[ .:]{0,2}\d{1,6}(?!\w))?"
INTERNATIONAL = re.compile(
    rb"(?<![\w+])(?:\(\+\d{1,3}\)[ ]?|\+\(?)\d{1,15}(?:" + GAP + rb"\d{1,12}){0,6}" + EXTENSION + END, re.I
)
PREFIXED = re.compile(
    rb"(?<![\w.,/+-])(?<!\d )(?:00|011)[ -]?[1-9]\d{0,3}(?:" + GAP + rb"\d{1,12}){1,6}" + EXTENSION + END, re.I
)
AMERICAN = re.compile(
    rb"(?<![\w.,/+$=-])(?:(?:001|\+?1)[ .-]{1,3})?(?:\(([2-9]\d{2})\)[ .-]{0,2}\d{3}[ .-]{1,3}\d{4}"
    rb"|([2-9]\d{2})([.-]|---)\d{3}\3\d{4})" + EXTENSION + END, re.I
)
TRUNK = re.compile(
    rb"(?<![\w.,/+$=(-])(?<!\d )(?:\(0[1-9]\d{0,4}\)[ -]?\d{2,8}(?:[ -]\d{2,5}){0,3}"
    rb"|0[1-9]\d{0,4}(?:( |-|\.|---)\d{2,5}(?:\1\d{2,5}){0,4}|[ ]?/[ ]?\d{2,9}(?:[ -]\d{2,5}){0,3}"
    rb"|-\d{3,4}[ -]\d{3,4}|[ -]\d{5,9})|0[579]\d{9})" + END
)
SPACED = re.compile(rb"(?<![\w.,/+$=-])(?<!\d )[2-9]\d\d( |  )\d{3}\1\d{4}(?! \d)" + EXTENSION + END, re.I)
AREA = re.compile(rb"(?<![\w.,/+$=-])(?<!\w )\((?!19|20)\d{2,4}\)[ -]?\d{3,5}[ -]?\d{4}(?! \d)" + END)
"""An area code in brackets."""
RUSSIAN = re.compile(rb"(?<![\w.,/+$=-])(?:[78] ?)?(?:\(\d{3}\) ?|\d{3}[ -])\d{3}-\d\d-\d\d" + END)
ANY = re.compile(
    rb"(?<![\w.,/$-])(?:\(\+?\d{1,5}\)[ -]{0,2}|\+)?\d{1,15}(?:" + GAP + rb"\d{1,12}){0,6}" + EXTENSION + END, re.I
)
YEARS = re.compile(rb"(?:19|20)\d\d ?(?:[-/]|---| ) ?(?:19|20)\d\d")
DATE = re.compile(
    rb"(?:(?:19|20)\d\d([-./])(?:0?[1-9]|1[0-2])\1(?:0?[1-9]|[12]\d|3[01])(?:[ -]\d{1,4})?"
    rb"|(?:0?[1-9]|[12]\d|3[01])([-./])(?:0?[1-9]|[12]\d|3[01])\2(?:19|20)?\d\d(?:[ -]\d{1,4})?|(?:19|20)\d{6})"
)
"""A day, perhaps with an hour or a year behind it."""
DECIMAL = re.compile(rb"\+\d+\.\d+")
THOUSANDS = re.compile(rb"[1-9]\d{0,2}(?: 000)+")
"""A count, not a number to call."""
POSTCODE = re.compile(rb"\d{5} \d{1,4}")

WORDS = words(
    "phone", "phones", "telephone", "telefone", "tel", "tels", "tlf", "fon", "ph", "mobile", "mob", "cell",
    "cellphone", "cellular", "fax", "telefax", "facsimile", "text me", "sms", "whatsapp", "viber", "hotline",
    "helpline", "landline", "toll free", "voicemail", "voice mail", "pager", "callback", "call back",
    "switchboard", "desk", "dial", "contact number", "tel\u00e9fono", "telefono", "m\u00f3vil", "celular",
    "t\u00e9l\u00e9phone", "t\u00e9l", "telefon*", "handynummer", "rufnummer", "telem\u00f3vel", "cellulare",
    "puhelin*", "puh", "matkapuhelin", "telefoon", "gsm", "kom\u00f3rka", "\u0442\u0435\u043b*",
    "\u043c\u043e\u0431*", "\u96fb\u8a71", "\u7535\u8bdd", "\u624b\u673a", "\u624b\u6a5f", "\ud734\ub300*",
    "\uc804\ud654*", "\u0647\u0627\u062a\u0641", "\u03c4\u03b7\u03bb*", "\u092b\u094b\u0928",
    "\u0e42\u0e17\u0e23*", "\u05d8\u05dc\u05e4\u05d5\u05df",
)
CALLING = re.compile(
    rb"\b(?:call|dial|ring|reach|answer|contact|text|phon)\w{0,4}\b[^\n\d]{0,24}?(?:\b(?:at|on|to|from|number)|:)[ ]?"
    rb"(?:is |: ?)?$"
    rb"|\b(?:call|dial|text|ring)(?: (?:us|me|him|her|them|now|today|the|our|office|toll[ -]free|free)){0,3}[ :]{1,2}$"
)
MY_NUMBER = re.compile(rb"\b(?:my|his|her|their|our) (?:\w+ )?number (?:is|:) ?$")
AFTER = re.compile(
    rb"^[ ]{0,2}[(\[]?(?:(?:office|fax|mobile|cell|home|work|landline|tel|phone|direct)[)\]]?[ ]*(?:$|[\r\n,;|<)/])"
    rb"|ext\b\.?[ ]?\d"
    rb"|(?:is|was) (?:my|his|her|their|our|the) (?:\w{1,12} )?(?:phone|number|mobile|cell|fax))"
)
IN_FRONT = 24
"""So near to the beginning of its candidate a number must be for words before the candidate to mean it."""
SUFFIX = re.compile(rb"(?i)[ ,;]*(?:x|e|#|p|a|d)")
EXTENDED = re.compile(rb"(?i)\d[ ,;]{0,2}(?:x|ext\.?|extension)[ .:]{0,2}\d{1,6}$")
NUMBER_WORD = re.compile(rb"[ _-]?(?:number|num|no|nr|#)?[.]?[ ]?(?:is|was|at)?[ ]?[:=#|\"'>(]{0,4}[ ]?[\"'(]?")
OTHERS = re.compile(
    rb"(?:part|order|item|model|serial|invoice|ticket|tracking|account|acct|case|patent|isbn|issn|doi|sku|upc|ean|oclc"
    rb"|lccn|vin|version|id|ref|reference|no|nr|number|num|zip|code|pmid|po box|catalog|bug|issue|docket)"
    rb"(?:[ _-]?(?:number|num|no|nr|id|code))?[.]?[ ]?[:#=]{0,2}[ ]{0,2}(?:is )?$"
    rb"|[#$]$|\xc2[\xa3\xa5] ?$|\xe2\x82\xac ?$"
    rb"|(?:usd|eur|gbp|rs\.?) ?$"
)


def phone(window: Window) -> Iterator[Hit]:
    """Numbers of all three sorts in one stretch of digits."""
    for match in window.matches(INTERNATIONAL, lead=2):
        if international(match[0]) and not DECIMAL.fullmatch(match[0]):
            yield window.hit(match.start(), match.end(), "phone", 58)
    for match in window.matches(PREFIXED):
        if (match[0].startswith(b"00") and international(match[0])) or match[0].startswith(b"011 "):
            yield window.hit(match.start(), match.end(), "phone", 52)
    for pattern in (AMERICAN, TRUNK, RUSSIAN, SPACED, AREA):
        for match in window.matches(pattern, lead=1):
            size = len(digits_of(match[0]))
            if pattern is TRUNK and (not 9 <= size <= 12 or POSTCODE.fullmatch(match[0]) or DATE.fullmatch(match[0])):
                continue
            if _other(window, match):
                continue
            yield window.hit(match.start(), match.end(), "phone", 52)
    yield from _with_words(window)


def _with_words(window: Window) -> Iterator[Hit]:
    """What is called a phone number by the words around it."""
    for match in window.matches(ANY, lead=2):
        text = match[0]
        digits = digits_of(SUFFIX.split(text, maxsplit=1)[0])
        if not 6 <= len(digits) <= 15 or YEARS.fullmatch(text) or DATE.fullmatch(text) or len(set(digits)) == 1:
            continue
        called = AFTER.match(window.behind(match.end())) or EXTENDED.search(text)
        if not called and match.start() < window.first + IN_FRONT:
            called = _called(window, match)
        if called and not THOUSANDS.fullmatch(text):
            yield window.hit(match.start(), match.end(), "phone", 50)


def _called(window: Window, match: re.Match[bytes]) -> bool:
    """Whether the words before, on its line or the one above, name a phone number and nothing else since."""
    line = window.before(match.start()).rstrip(b"\r\n\t ").rpartition(b"\n")[2]
    space = window.text[match.start() - 1 : match.start()].replace(b"\n", b" ") if match.start() else b""
    line += space if space == b" " else b""
    named = max(WORDS.finditer(line), key=lambda word: word.end(), default=None)
    if named is None:
        return bool(CALLING.search(line) or MY_NUMBER.search(line))
    rest = line[named.end() :]
    if NUMBER_WORD.fullmatch(rest):
        return True
    counted = re.search(rb"\d{5}", rest) and not re.search(rb"(?:or|and|[,/;&|]) ?$", rest)
    return not counted and not OTHERS.search(rest)


def _other(window: Window, match: re.Match[bytes]) -> bool:
    """Whether the words before say that it is a number of another sort."""
    before = window.before(match.start(), 24)
    return bool(OTHERS.search(before)) and not WORDS.search(before)


def international(text: bytes) -> bool:
    """Whether the digits after ``+`` or ``00`` are a country's code and as many more as its numbers have."""
    text = SUFFIX.split(text, maxsplit=1)[0].replace(b"(0)", b"")
    digits = digits_of(text).lstrip("0")
    for size in (1, 2, 3):
        span = LENGTHS.get(digits[:size])
        if span:
            rest = len(digits) - size
            return span[0] <= rest <= span[1] or (digits[size : size + 1] == "0" and span[0] <= rest - 1 <= span[1])
    return False
