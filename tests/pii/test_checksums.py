"""Check digits against published numbers, against numbers made another way, and against single faults."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from dataengine.pii import check_digits, checksums
from dataengine.pii.money import IBAN_FORMS, IBAN_LENGTHS
from dataengine.pii.phones import international
from dataengine.pii.wallets import BASE58, base58check, bech32

PUBLISHED: dict[Callable[[str], bool], list[str]] = {
    checksums.luhn: ["4111111111111111", "378282246310005", "79927398713", "6011111111111117"],
    checksums.verhoeff: ["2363", "123451"],
    checksums.mod11_2: ["0000000218250097", "079X", "11010519491231002X"],
    checksums.mod11_10: ["12345678903", "86095742719", "33392005961"],
    check_digits.spanish: ["12345678Z", "X1234567L", "Y1234567X"],
    check_digits.italian: ["RSSMRA85T10A562S"],
    check_digits.mexican: ["BOXW310820HNERXN09"],
    check_digits.finnish: ["131052-308T"],
    check_digits.singapore: ["S0000001I", "F1612345P"],
    check_digits.irish: ["1234567T"],
    check_digits.german_health: ["A123456780"],
    check_digits.german_pension: ["65070803A019"],
    check_digits.taiwanese: ["A123456789"],
    check_digits.dea: ["F91234563"],
    check_digits.chinese: ["11010519491231002X"],
    check_digits.british_health: ["9434765919"],
    check_digits.canadian: ["130692544"],
    check_digits.australian_tax: ["123456782"],
    check_digits.australian_company: ["004085616"],
    check_digits.australian_business: ["51824753556"],
    check_digits.australian_medicare: ["2123456701"],
    check_digits.polish: ["44051401359"],
    check_digits.polish_tax: ["1234563218"],
    check_digits.turkish: ["10000000146"],
    check_digits.thai: ["1101700230708"],
    check_digits.south_african: ["8001015009087"],
    check_digits.korean_business: ["1048656659"],
    check_digits.swedish: ["8112189876"],
    check_digits.norwegian: ["11077941012"],
    check_digits.dutch: ["111222333"],
    check_digits.belgian: ["85073003328"],
    check_digits.ean: ["7569217076985"],
    check_digits.french: ["255081416802538"],
    check_digits.brazilian: ["52998224725"],
    check_digits.brazilian_company: ["11222333000181"],
    check_digits.czech: ["7103192745"],
    check_digits.portuguese: ["123456789"],
    check_digits.israeli: ["123456782"],
    check_digits.npi: ["1234567893"],
}
"""Examples from the issuers' own papers and the standards."""
EVEN = {check_digits.mexican, check_digits.dea}
"""They count modulo 10 with even weights, which lets half of the faults by five through."""


@pytest.mark.parametrize("valid", PUBLISHED, ids=lambda valid: valid.__name__)
def test_published_numbers_are_valid_and_few_with_one_digit_wrong_are(valid: Callable[[str], bool]) -> None:
    wrong = passed = 0
    for number in PUBLISHED[valid]:
        assert valid(number), number
        for place, digit in enumerate(number):
            for other in "0123456789" if digit.isdigit() else "":
                if other != digit:
                    wrong += 1
                    passed += valid(number[:place] + other + number[place + 1 :])
    assert passed <= (0.2 if valid in EVEN else 0.1) * wrong


def test_luhn_agrees_with_the_digit_that_completes_a_number() -> None:
    doubled = {digit: sum(map(int, str(2 * digit))) for digit in range(10)}
    for number in range(0, 100_000, 37):
        digits = list(map(int, str(number)))[::-1]
        total = sum(doubled[digit] if place % 2 == 0 else digit for place, digit in enumerate(digits))
        assert [last for last in range(10) if checksums.luhn(f"{number}{last}")] == [-total % 10]


def test_verhoeff_catches_every_single_fault_and_every_swap_of_neighbours() -> None:
    rng = random.Random(3)
    for _ in range(50):
        body = "".join(rng.choices("0123456789", k=11))
        (last,) = [digit for digit in "0123456789" if checksums.verhoeff(body + digit)]
        number = body + last
        for place in range(len(number)):
            for other in set("0123456789") - {number[place]}:
                assert not checksums.verhoeff(number[:place] + other + number[place + 1 :])
        for place in range(len(number) - 1):
            a, b = number[place : place + 2]
            assert a == b or not checksums.verhoeff(number[:place] + b + a + number[place + 2 :])


def test_mod_97_agrees_with_long_division_by_hand() -> None:
    rng = random.Random(4)
    for _ in range(200):
        text = "".join(rng.choices("0123456789ABCXYZ", k=18))
        rest = 0
        for letter in text:
            for digit in letter if letter.isdigit() else str(ord(letter) - 55):
                rest = (rest * 10 + int(digit)) % 97
        assert checksums.mod97(text) == (rest == 1)


def test_ibans_have_the_lengths_their_registry_states() -> None:
    stated = {"NO": 15, "BE": 16, "DE": 22, "GB": 22, "FR": 27, "ES": 24, "IT": 27, "NL": 18, "CH": 21, "PL": 28,
              "MT": 31, "SC": 31, "RU": 33, "LC": 32, "SA": 24, "TR": 26, "UA": 29, "BR": 29, "IL": 23, "SE": 24}
    assert stated.items() <= IBAN_LENGTHS.items()
    assert set(map(len, IBAN_FORMS)) == {2}


def test_base_58_addresses_made_here_are_valid_and_with_one_letter_changed_are_not() -> None:
    import hashlib

    rng = random.Random(5)
    for version in (0x00, 0x05, 0x30):
        body = bytes([version]) + rng.randbytes(20)
        data = body + hashlib.sha256(hashlib.sha256(body).digest()).digest()[:4]
        number, text = int.from_bytes(data, "big"), ""
        while number:
            number, rest = divmod(number, 58)
            text = BASE58[rest] + text
        text = "1" * (len(data) - len(data.lstrip(b"\0"))) + text
        assert base58check(text)
        for place in range(1, len(text)):
            other = "2" if text[place] != "2" else "3"
            assert not base58check(text[:place] + other + text[place + 1 :])


def test_bech32_addresses_of_the_proposals_are_valid() -> None:
    for text in (
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",  # BIP 173
        "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
        "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7",
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",  # BIP 350
    ):
        assert bech32(text)
        assert not bech32(text[:-1] + ("q" if text[-1].lower() != "q" else "p"))


def test_international_numbers_have_as_many_digits_as_their_country_gives_them() -> None:
    for text, valid in (
        (b"+1 415 555 0132", True), (b"+1 415 555 013", False), (b"+44 (0)20 7946 0958", True),
        (b"+49 30 1234567", True), (b"+999 12345678", False), (b"+33 1 23 45 67 89", True),
        (b"+33 1 23 45 67 8", False), (b"+1", False), (b"+", False),
    ):
        assert international(text) == valid, text
