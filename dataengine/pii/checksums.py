"""Check digits: what tells an identifier from a number that only looks like one.

Every function takes the digits (or letters and digits) without separators and says whether they agree.
"""

from __future__ import annotations

from collections.abc import Sequence

VERHOEFF_TIMES = [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 3, 4, 0, 6, 7, 8, 9, 5], [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
                  [3, 4, 0, 1, 2, 8, 9, 5, 6, 7], [4, 0, 1, 2, 3, 9, 5, 6, 7, 8], [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
                  [6, 5, 9, 8, 7, 1, 0, 4, 3, 2], [7, 6, 5, 9, 8, 2, 1, 0, 4, 3], [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
                  [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]]
"""The group of the symmetries of a pentagon (Verhoeff 1969)."""
VERHOEFF_STEP = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]
"""The permutation that is applied once more at each place."""


def luhn(digits: str) -> bool:
    """ISO/IEC 7812: every second digit from the right doubled, the digits of all summed, a multiple of ten."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def verhoeff(digits: str) -> bool:
    """Catches all single errors and transpositions: Aadhaar."""
    check = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit)
        for _ in range(place % 8):
            value = VERHOEFF_STEP[value]
        check = VERHOEFF_TIMES[check][value]
    return check == 0


def mod97(text: str) -> bool:
    """ISO/IEC 7064 MOD 97-10: as a number, letters as two digits from A = 10, it leaves 1."""
    return int("".join(str(int(letter, 36)) for letter in text)) % 97 == 1


def weighted(digits: str, weights: Sequence[int]) -> int:
    """The sum of each digit times the weight at its place."""
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True))


def mod11_10(digits: str) -> bool:
    """ISO/IEC 7064 MOD 11,10: the German tax number, the Croatian OIB."""
    product = 10
    for digit in digits[:-1]:
        product = (int(digit) + product) % 10 or 10
        product = product * 2 % 11
    return (11 - product) % 10 == int(digits[-1])


def mod11_2(text: str) -> bool:
    """ISO/IEC 7064 MOD 11-2, the last character may be X for 10: the Chinese identity number, ORCID."""
    product = 0
    for letter in text[:-1]:
        product = (product + int(letter)) * 2 % 11
    return (12 - product) % 11 == (10 if text[-1] in "Xx" else int(text[-1]))


def luhn_over(text: str, letters: str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") -> bool:
    """Luhn's method over an alphabet (Luhn mod N), as the Indian GSTIN has it."""
    total, base = 0, len(letters)
    for place, letter in enumerate(reversed(text)):
        value = letters.index(letter) * (1 + place % 2)
        total += value // base + value % base
    return total % base == 0
