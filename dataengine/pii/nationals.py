"""Identity, tax, health and passport numbers of many countries, in two tables.

One is of numbers with letters in them, found by their shape: ``55555555K`` has the shape ``99999999A``. The other is of
numbers of digits alone, which need a word that names them (*NHS*, *PESEL*, *SIN*) unless their separators are their
own. A check digit is tested wherever the number has one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dataengine.pii import check_digits as check
from dataengine.pii.window import Hit, Window, digits_of, stem, words


@dataclass(frozen=True)
class Lettered:
    """A number with letters. `pattern` is matched against it in capitals, without hyphens."""

    pattern: re.Pattern[str]
    valid: Callable[[str], bool] | None = None
    named: re.Pattern[bytes] | None = None
    """Words of which one must stand before it; None where its form is enough."""
    capitals: bool = True
    """Whether it has to be written in capitals where no word names it."""


def lettered(pattern: str, valid: Callable[[str], bool] | None = None, *names: str, capitals: bool = True) -> Lettered:
    """A row of the table below."""
    return Lettered(re.compile(pattern), valid, words(*names) if names else None, capitals)


PASSPORTS = (
    "passport*", "reisepass", "pass nr", "passnummer", "pasaporte", "passeport", "passaporto", "\uc5ec\uad8c*",
    "travel document",
)
GSTIN = r"(?:0[1-9]|[1-3]\d)[A-Z]{5}\d{4}[A-Z][1-9A-Z]Z[0-9A-Z]"
LETTERED: dict[str, list[Lettered]] = {
    "99999999A": [lettered(r"\d{8}[A-Z]", check.spanish), lettered(r"\d{8}[A-Z]", None, "uen", "acra")],
    "A9999999A": [
        lettered(r"[XYZKLM]\d{7}[A-Z]", check.spanish, capitals=False),
        lettered(r"[STFGM]\d{7}[A-Z]", check.singapore),
        lettered(r"[A-Z]\d{7}[A-Z]", None, "nric", "fin", "ppsn"),
    ],
    "9999999A": [lettered(r"\d{7}[A-W]", check.irish, "pps", "ppsn", "irish")],
    "9999999AA": [lettered(r"\d{7}[A-W][A-IW]", check.irish, "pps", "ppsn", "irish")],
    "A99999999": [
        lettered(r"[A-HJNP-SUVW]\d{8}", check.spanish_company, "cif", "nif"),
        lettered(r"[A-Z]\d{8}", None, *PASSPORTS),
    ],
    "AA999999A": [lettered(r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]\d{6}[A-D]", capitals=False)],
    "AAAAAA99A99A999A": [lettered(r"[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z]", check.italian, capitals=False)],
    "AAAA999999AAAAAA99": [lettered(r"[A-Z][AEIOUX][A-Z]{2}\d{6}[HMX][A-Z]{5}\d\d", check.mexican)],
    "AAAA999999AAAAAAA9": [lettered(r"[A-Z][AEIOUX][A-Z]{2}\d{6}[HMX][A-Z]{5}[A-Z]\d", check.mexican)],
    "AAAAA9999A": [lettered(r"[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]", None, "pan", "income tax", "permanent account")],
    "99AAAAA9999A9A9": [lettered(GSTIN, check.gstin), lettered(GSTIN, None, "gst", "gstin", "goods and services")],
    "99AAAAA9999A9AA": [lettered(GSTIN, check.gstin), lettered(GSTIN, None, "gst", "gstin", "goods and services")],
    "AAA9999999": [lettered(r"[A-Z]{3}\d{7}", None, "voter", "epic", "elector*")],
    "999999A999A": [lettered(r"\d{6}[+ABCDEFUVWXY-]\d{3}[0-9A-Y]", check.finnish)],
    "999999A9999": [lettered(r"\d{6}[+ABCDEFUVWXY-]\d{3}[0-9A-Y]", check.finnish)],
    "A999999999": [
        lettered(r"[A-Z]\d{9}", check.german_health, "kvnr", "krankenkasse*", "krankenversicher*", "versicherten*"),
        lettered(r"[A-Z][1289]\d{8}", check.taiwanese),
    ],
    "99999999A999": [lettered(r"\d{8}[A-Z]\d{3}", check.german_pension)],
    "AA9999999": [
        lettered(r"[A-Z]{2}\d{7}", check.dea, "certificate", "dea", "licen*", "prescri*", "doctor", "physician"),
        lettered(r"[A-Z]{2}\d{7}", None, *PASSPORTS, "carta d'identit*", "identity card"),
    ],
    "AAA999999": [lettered(r"[A-Z]{3}\d{6}", None, *PASSPORTS)],
    "A9999999": [lettered(r"[A-Z]\d{7}", None, *PASSPORTS, "hkid")],
    "A999A9999": [lettered(r"[MSRODG]\d{3}[A-Z]\d{4}", None, *PASSPORTS)],
    "99999999999999999A": [lettered(r"[1-9]\d{5}(?:18|19|20)\d{8}\dX", check.chinese, capitals=False)],
    "99A99999": [lettered(r"\d\d[A-Z]\d{5}", None, "paye", "temp*", "temporary reference", "trn")],
}
"""Shape -> what may have it. 9 is a digit, A a letter."""

MEDICARE = re.compile(r"[1-9]a[a0]\da[a0]\daa\d\d".replace("a0", "AC-HJKMNP-RT-Y0-9").replace("a", "[AC-HJKMNP-RT-Y]"))
"""The US Medicare beneficiary identifier: no S, L, O, I, B, Z."""
DRIVER = re.compile(
    rb"(?<![A-Z0-9])[A-Z]{1,5}9{0,4} ?\d[0156]\d ?(?:[0-2]\d|3[01])\d ?(?:[A-Z][A-Z9]|99)[A-Z0-9][A-Z]{2}"
    rb"(?: ?\d\d)?(?![A-Z0-9])"
)
"""The British driving licence: five letters of the name, a birthday with 50 added to a woman's month, initials."""
NINO = re.compile(
    rb"(?<![A-Z0-9])(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z][ -]?\d\d[ -]?\d\d[ -]?\d\d[ -]?[A-D]"
    rb"(?![A-Z0-9])"
)
"""The British national insurance number."""
CONTINUES = re.compile(rb"[.+/]\w")
"""Behind a token that is a part of something longer: a number in scientific notation, a path."""
SHAPES = bytes.maketrans(
    b"0123456789abcdefghijklmnopqrstuvwxyzBCDEFGHIJKLMNOPQRSTUVWXYZ", b"9" * 10 + b"A" * 51
)


def with_letters(window: Window) -> Iterator[Hit]:
    """A token of letters and digits that has the shape of a known number."""
    token = window.candidate
    before = window.text[max(0, window.first - 1) : window.first]
    if not token.isascii():  # no such number has other letters; a token may end inside one
        return
    if len(token) > 24 or before in (b".", b"+") or CONTINUES.match(window.text, window.last):
        return
    bare = token.replace(b"-", b"")
    text = bare.decode().upper()
    shape = bare.translate(SHAPES).decode()
    for row in LETTERED.get(shape, ()):
        if row.pattern.fullmatch(text) and (row.valid is None or row.valid(text)):
            named = row.named is not None and row.named.search(window.before(window.first))
            if named or (row.named is None and (not row.capitals or bare.isupper())):
                yield window.hit(window.first, window.last, "national_id", 62)
                return
    medicare = len(text) == 11 and bare.isupper() and MEDICARE.fullmatch(text)
    if medicare or (len(token) == 11 and b"-" in token and check.finnish(token.decode().upper())):
        yield window.hit(window.first, window.last, "national_id", 62)
    elif 16 <= len(text) <= 18 and DRIVER.fullmatch(bare.upper()):
        yield window.hit(window.first, window.last, "national_id", 61)
    elif shape.startswith("999999A"):
        yield from _apart(window)


def _apart(window: Window) -> Iterator[Hit]:
    """British numbers whose parts stand apart: ``AB 12 34 56 C``, ``MORGA 753116 SM9IJ``."""
    for pattern in (NINO, DRIVER):
        for match in pattern.finditer(window.text, max(0, window.first - 8), len(window.text)):
            if match.start() < window.last and match.end() > window.first:
                yield window.hit(match.start(), match.end(), "national_id", 64)


# --- digits alone -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Numeric:
    """A number of digits alone; `pattern` is matched in the text as it stands."""

    pattern: re.Pattern[bytes]
    valid: Callable[[str], bool] | None
    names: tuple[str, ...]
    named: re.Pattern[bytes] | None


def numeric(pattern: str, valid: Callable[[str], bool] | None, *names: str) -> Numeric:
    """A row of the table below. A blank in the pattern stands for any one separator, or none."""
    body = pattern.replace(" ", "[ -]?")
    return Numeric(
        re.compile(br"(?<![\w.,+/-])(?:" + body.encode() + rb")(?![\w]|[-./,]\d)"),
        valid,
        names,
        words(*names) if names else None,
    )


NUMERIC = [
    numeric(r"\d{3} \d{3} \d{4}", check.british_health, "nhs", "health service", "patient"),
    numeric(r"\d{3} \d{3} \d{3}", check.canadian, "sin", "nas", "social insurance", "assurance sociale"),
    numeric(r"\d{3}-\d{3}-\d{3}", check.canadian),
    numeric(r"\d{3} \d{3} \d{2,3}", check.australian_tax, "tfn", "tax file", "tax number"),
    numeric(r"\d{3} \d{3} \d{3}", check.australian_company, "acn", "company number"),
    numeric(r"\d{2} \d{3} \d{3} \d{3}", check.australian_business, "abn", "business number"),
    numeric(r"[2-6]\d{3} \d{5} \d", check.australian_medicare, "medicare"),
    numeric(r"[2-9]\d{3} \d{4} \d{4}", check.verhoeff, "aadhaar", "aadhar", "adhaar", "uidai", "uid",
            "\u0906\u0927\u093e\u0930"),
    numeric(r"\d{11}", check.polish, "pesel"),
    numeric(r"\d{3}-?\d{3}-?\d{2}-?\d{2}", check.polish_tax, "nip", "vat", "podatk*"),
    numeric(r"[1-9]\d{10}|[1-9]\d \d{3} \d{3} \d{3}", check.mod11_10, "steuer*", "idnr", "tin", "oib", "tax id*"),
    numeric(r"[1-9]\d{10}", check.turkish, "tc", "tckn", "t.c.", "kimlik", "turkish", "t\u00fcrk"),
    numeric(r"\d{13}|\d \d{4} \d{5} \d{2} \d", check.thai, "tnin", "thai", "id card", "\u0e1a\u0e31\u0e15\u0e23*",
            "\u0e1b\u0e23\u0e30\u0e0a\u0e32\u0e0a\u0e19"),
    numeric(r"\d{6} ?\d{4} ?\d{3}", check.south_african, "id", "identity", "south african"),
    numeric(r"\d{6}-[1-8]\d{6}", check.date_first),
    numeric(r"\d{6}[1-8]\d{6}", check.date_first, "rrn", "frn", "resident registration", "\uc8fc\ubbfc*"),
    numeric(r"\d{3}-\d{2}-\d{5}", check.korean_business, "brn", "business registration", "\uc0ac\uc5c5\uc790*"),
    numeric(r"(?:19|20)?\d{6}[-+]\d{4}", check.swedish),
    numeric(r"(?:18|19|20)?\d{10}", check.swedish, "personnummer", "pnr", "personal identity", "id code", "swedish"),
    numeric(r"\d{6}-\d{4}", check.swedish_company, "orgnr", "organisationsnummer", "company identity"),
    numeric(r"\d{6} ?\d{4}", check.danish, "cpr", "personnummer"),
    numeric(r"\d{6} ?\d{5}", check.norwegian, "f\u00f8dselsnummer", "fodselsnummer", "personnummer", "fnr", "d-nummer"),
    numeric(r"\d{9}", check.dutch, "bsn", "burgerservicenummer", "sofinummer", "burgerservice"),
    numeric(r"\d{2}\.?\d{2}\.?\d{2}[-. ]?\d{3}[-. ]?\d{2}", check.belgian, "rijksregister*", "registre national",
            "niss", "insz", "national number"),
    numeric(r"\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}", check.belgian),
    numeric(r"756\.\d{4}\.\d{4}\.\d{2}", check.ean),
    numeric(r"[12] ?\d{2} ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}", check.french),
    numeric(r"\d{3}\.\d{3}\.\d{3}-\d{2}", check.brazilian),
    numeric(r"\d{11}", check.brazilian, "cpf"),
    numeric(r"\d{2}\.\d{3}\.\d{3}/\d{4}-\d{2}", check.brazilian_company),
    numeric(r"[1-9]\d{5}(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{4}", check.chinese),
    numeric(r"\d{6}/\d{3,4}", check.czech, "rodn*", "r.\u010d."),
    numeric(r"[1235689]\d{8}", check.portuguese, "nif", "contribuinte", "nipc"),
    numeric(r"\d{9}", check.israeli, "teudat", "zehut", "israeli id",
            "\u05ea\u05e2\u05d5\u05d3\u05ea", "\u05d6\u05d4\u05d5\u05ea"),
    numeric(r"[1-9]\d{9}", check.npi, "npi", "provider"),
    numeric(r"\d{9}", check.german_doctor, "lanr", "arztnummer", "arzt-nr"),
    numeric(r"\d{3} \d{3} \d{3}(?: \d{3})?", lambda number: number[0] in "0123459", "tin", "bir", "tax id*"),
    numeric(r"9\d{2} ?(?:5\d|6[0-5]|7\d|8[0-8]|9[0-24-9]) ?\d{4}", None, "itin", "taxpayer"),
    numeric(r"9\d{2}-(?:5\d|6[0-5]|7\d|8[0-8]|9[0-24-9])-\d{4}", None),
    numeric(r"[1-9]\d{10}", None, "nin", "national identification"),
    numeric(r"\d{8,9}", None, "passport*", "driver*", "driving licen*"),
]
NAMES = re.compile(b"|".join(sorted({stem(name) for row in NUMERIC for name in row.names})))
"""Any word that names one of them: one look spares forty."""
UNNAMED = [row for row in NUMERIC if not row.named]
FEWEST_UNNAMED = 9
"""Digits of the shortest number that needs no name."""

SSN = re.compile(rb"(?<![\w.,+/=$-])(?!000|666|9)\d{3}([-. ]|---)(?!00)\d\d\1(?!0000)\d{4}(?![\w]|[-.,/]\d)")
SSN_BARE = re.compile(rb"(?<![\w.,+/$-])(?!000|666|9)\d{3}-?(?!00)\d\d-?(?!0000)\d{4}(?![\w]|[-.,/]\d)")
SSN_NAMES = words("ssn", "ssns", "ss#", "social security", "soc sec", "social sec", "social")
SAMPLES = {"078051120", "219099999"}
"""Numbers that were printed on sample cards, and belong to nobody."""


def social_security(window: Window) -> Iterator[Hit]:
    """The number of the US Social Security Administration: by its hyphens, or by name."""
    for pattern in (SSN, SSN_BARE):
        for match in window.matches(pattern):
            number = digits_of(match[0])
            if number in SAMPLES or len(set(number)) == 1:
                continue
            plain = pattern is SSN and (match[1] != b" " or window.alone(match.start(), match.end()))
            if plain or SSN_NAMES.search(window.before(match.start())):
                yield window.hit(match.start(), match.end(), "ssn", 63)


def of_digits(window: Window) -> Iterator[Hit]:
    """Numbers of the table, and the British ones whose parts stand apart."""
    yield from _apart(window)
    named = NAMES.search(window.before(window.first, 64)) if len(window.candidate) < 64 else True
    if not named and len(digits_of(window.candidate)) < FEWEST_UNNAMED:
        return
    for row in NUMERIC if named else UNNAMED:
        for match in window.matches(row.pattern):
            number = digits_of(match[0])
            if row.named and not row.named.search(window.before(match.start(), 64)):
                continue
            if row.valid is None or row.valid(number):
                yield window.hit(match.start(), match.end(), "national_id", 57)
