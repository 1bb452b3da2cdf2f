"""Card numbers, IBANs, bank numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dataengine.pii.checksums import luhn, mod97, weighted
from dataengine.pii.window import Hit, Window, digits_of, words

BRANDS = [
    ("4", "4", (16,)),  # Visa
    ("51", "55", (16,)),  # Mastercard
    ("2221", "2720", (16,)),
    ("34", "34", (15,)),  # American Express
    ("37", "37", (15,)),
    ("300", "305", (14,)),  # Diners Club
    ("3095", "3095", (14,)),
    ("36", "36", (14,)),
    ("38", "39", (14,)),
    ("6011", "6011", (16,)),  # Discover
    ("644", "659", (16,)),
    ("3528", "3589", (16,)),  # JCB
    ("62", "62", (16,)),  # UnionPay
    ("2200", "2204", (16,)),  # Mir
    ("5018", "5020", (16,)),  # Maestro, Dankort
    ("67", "67", (16,)),
]
"""Issuer identification numbers (ISO/IEC 7812), from and to, and the usual length. Of random numbers of 16 digits 3 %
have such a prefix and the check digit."""
CARD = re.compile(rb"(?<![\w.$/+=-])(?:\d{12,19}|\d{4}([ -]{1,2}|---)\d{4,6}(?:\1\d{1,6}){1,3})(?![\w/=]|[.,-]\d)")
CARD_WORDS = words(
    "card*", "credit", "debit", "visa", "master", "mastercard", "amex", "american express", "diners", "discover",
    "jcb", "maestro", "cc", "ccn", "cvv", "payment", "tarjeta", "karte", "kreditkarte", "carte", "carta", "cart\u00e3o",
    "karta",
    "\u30ab\u30fc\u30c9", "\u5361", "\u043a\u0430\u0440\u0442\u0430",
)
SPLITS = {
    (4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3), (4, 4, 5), (4, 5, 6), (4, 4, 4, 1), (4, 4, 4, 2),
}
"""How cards group their digits."""


def credit_card(window: Window) -> Iterator[Hit]:
    """Luhn's check digit, and an issuer's prefix and length or words that speak of a card."""
    for match in window.matches(CARD):
        groups = re.split(rb"\D+", match[0])
        number = b"".join(groups).decode()
        if len(groups) > 1 and tuple(map(len, groups)) not in SPLITS:
            continue
        if not luhn(number) or len(set(number)) == 1:
            continue
        around = (window.before(match.start()), window.behind(match.end()))
        if card_issued(number) or any(map(CARD_WORDS.search, around)):
            yield window.hit(match.start(), match.end(), "credit_card", 80)


def card_issued(number: str) -> bool:
    """Whether cards of this prefix and length are common enough for a number to be one by itself."""
    return any(low <= number[: len(low)] <= high and len(number) in lengths for low, high, lengths in BRANDS)


IBAN_TABLE = """
    AD:4n+4n+12c AE:3n+16n AL:8n+16c AT:5n+11n AZ:4a+20c BA:3n+3n+8n+2n BE:3n+7n+2n BG:4a+4n+2n+8c BH:4a+14c
    BI:5n+5n+11n+2n BR:8n+5n+10n+1a+1c BY:4c+4n+16c CH:5n+12c CR:4n+14n CY:3n+5n+16c CZ:4n+6n+10n DE:8n+10n
    DJ:5n+5n+11n+2n DK:4n+9n+1n DO:4c+20n EE:2n+2n+11n+1n EG:4n+4n+17n ES:4n+4n+1n+1n+10n FI:3n+11n FK:2a+12n
    FO:4n+9n+1n FR:5n+5n+11c+2n GB:4a+6n+8n GE:2a+16n GI:4a+15c GL:4n+9n+1n GR:3n+4n+16c GT:4c+20c HN:4a+20n
    HR:7n+10n HU:3n+4n+1n+15n+1n IE:4a+6n+8n IL:3n+3n+13n IQ:4a+3n+12n IS:4n+2n+6n+10n IT:1a+5n+5n+12c JO:4a+4n+18c
    KW:4a+22c KZ:3n+13c LB:4n+20c LC:4a+24c LI:5n+12c LT:5n+11n LU:3n+13c LV:4a+13c LY:3n+3n+15n MC:5n+5n+11c+2n
    MD:2c+18c ME:3n+13n+2n MK:3n+10c+2n MN:4n+12n MR:5n+5n+11n+2n MT:4a+5n+18c MU:4a+2n+2n+12n+3n+3a NI:4a+20n
    NL:4a+10n NO:4n+6n+1n OM:3n+16c PK:4a+16c PL:8n+16n PS:4a+21c PT:4n+4n+11n+2n QA:4a+21c RO:4a+16c RS:3n+13n+2n
    RU:9n+5n+15c SA:2n+18c SC:4a+2n+2n+16n+3a SD:2n+12n SE:3n+16n+1n SI:5n+8n+2n SK:4n+6n+10n SM:1a+5n+5n+12c
    SO:4n+3n+12n ST:4n+4n+11n+2n SV:4a+20n TL:3n+14n+2n TN:2n+3n+13n+2n TR:5n+1n+16c UA:6n+19c VA:3n+15n VG:4a+16n
    XK:4n+10n+2n YE:4a+4n+18c
"""
IBAN_FORMS = dict(entry.split(":") for entry in IBAN_TABLE.split())
"""The national part of an IBAN by country, as the SWIFT registry writes it: n digits, a capitals, c either."""
CLASSES = {"n": "[0-9]", "a": "[A-Z]", "c": "[A-Z0-9]"}
IBANS = {
    country: re.compile("".join(f"{CLASSES[part[-1]]}{{{part[:-1]}}}" for part in form.split("+")))
    for country, form in IBAN_FORMS.items()
}
IBAN_LENGTHS = {
    country: 4 + sum(int(part[:-1]) for part in form.split("+")) for country, form in IBAN_FORMS.items()
}
IBAN_TEXT = re.compile(rb"[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){10,31}")


def iban(window: Window) -> Iterator[Hit]:
    """Country, length, form of the national part, and MOD 97-10 (ISO 13616)."""
    match = IBAN_TEXT.match(window.text, window.first)
    if not match or window.text[max(0, window.first - 1) : window.first].isalnum():
        return
    length = IBAN_LENGTHS.get(match[0][:2].decode().upper())
    if not length:
        return
    kept, end = [], match.start()
    for byte in match[0]:
        end += 1
        if chr(byte).isalnum():
            kept.append(chr(byte))
        if len(kept) == length:
            break
    text = "".join(kept).upper()
    followed = window.text[end : end + 1].isalnum()
    if len(text) == length and not followed and IBANS[text[:2]].fullmatch(text[4:]) and mod97(text[4:] + text[:4]):
        yield window.hit(match.start(), end, "iban", 90)


ROUTING = re.compile(rb"(?<![\w.-])(\d{9}|\d{4}-\d{4}-\d)(?![\w-]|\.\d)")
ROUTING_WORDS = words("routing", "rtn", "aba", "transit", "bank", "wire", "ach", "direct deposit")
ACCOUNT = re.compile(rb"(?<![\w.-])\d{6,17}(?![\w-]|\.\d)")
ACCOUNT_WORDS = re.compile(
    rb"(?:bank|checking|savings?|current|deposit|wire)[ _-]?(?:account|acct|a/c)[ _-]?(?:number|num|no|nr|#)?\.?"
    rb"[ :#=]{0,3}(?:is )?$"
    rb"|(?:kontonummer|kontonr|bankverbindung|num\xc3\xa9ro de compte|n\xc3\xbamero de cuenta"
    rb"|sort code[ :]{1,2}[\d-]{6,8}[, ]{1,2}(?:account|acc\.?|a/c)(?: (?:number|no\.?))?)[ :#=]{0,3}$"
)
SORT_CODE = re.compile(rb"(?<![\w-])\d{2}-\d{2}-\d{2}(?![\w-])")


def bank_number(window: Window) -> Iterator[Hit]:
    """US routing numbers (check digit 3 7 1), account numbers and UK sort codes, where the text says so."""
    for match in window.matches(ROUTING):
        number = digits_of(match[0])
        district = int(number[:2])
        issued = 0 < district <= 12 or 21 <= district <= 32 or 61 <= district <= 72 or district == 80
        if issued and weighted(number, (3, 7, 1) * 3) % 10 == 0 and ROUTING_WORDS.search(window.before(match.start())):
            yield window.hit(match.start(), match.end(), "bank", 55)
    for match in window.matches(ACCOUNT):
        if ACCOUNT_WORDS.search(window.before(match.start())):
            yield window.hit(match.start(), match.end(), "bank", 54)
    for match in window.matches(SORT_CODE):
        if b"sort code" in window.before(match.start(), 24) or b"sort-code" in window.before(match.start(), 24):
            yield window.hit(match.start(), match.end(), "bank", 56)
