"""The check digits of each country's numbers, made of the methods in `dataengine.pii.checksums`.

Every function takes the number in capitals without separators and says whether it could have been issued. Sources: the
issuers' own descriptions, as gathered in the articles on national identification numbers and in ISO/IEC 7064.
"""

from __future__ import annotations

from dataengine.pii.checksums import luhn, luhn_over, mod11_2, mod11_10, verhoeff, weighted

__all__ = ["mod11_10", "verhoeff"]

SPANISH = "TRWAGMYFPDXBNJZSQVHLCKE"
FINNISH = "0123456789ABCDEFHJKLMNPRSTUVWXY"
ITALIAN_ODD = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23]
TAIWANESE = "ABCDEFGHJKLMNPQRSTUVXYWZIO"


def date_first(number: str) -> bool:
    """Begins with a day: year, month, day, two digits each."""
    return 1 <= int(number[2:4]) <= 12 and 1 <= int(number[4:6]) <= 31


def day_first(number: str) -> bool:
    """Begins with a day: day, month, year, two digits each."""
    return 1 <= int(number[:2]) <= 31 and 1 <= int(number[2:4]) <= 12


def spanish(text: str) -> bool:
    """DNI and NIE: the letter is the number modulo 23; X, Y, Z in front count as 0, 1, 2."""
    lead = {"X": "0", "Y": "1", "Z": "2"}.get(text[0], text[0])
    digits = (lead + text[1:-1]).lstrip("KLM")
    return digits.isdigit() and SPANISH[int(digits) % 23] == text[-1]


def spanish_company(text: str) -> bool:
    """CIF: Luhn over the seven digits and the last."""
    return luhn(text[1:])


def italian(text: str) -> bool:
    """Codice fiscale: odd places by a table, even ones by value, the sum modulo 26 as a letter."""
    total = 0
    for place, letter in enumerate(text[:15]):
        value = int(letter) if letter.isdigit() else ord(letter) - 65
        total += value if place % 2 else ITALIAN_ODD[value]
    return chr(65 + total % 26) == text[15]


def mexican(text: str) -> bool:
    """CURP: 37 signs with Ñ among them, weights 18 to 2."""
    signs = "0123456789ABCDEFGHIJKLMN\u00d1OPQRSTUVWXYZ"
    total = sum(signs.index(letter) * (18 - place) for place, letter in enumerate(text[:17]))
    return text[17] == str(-total % 10)


def gstin(text: str) -> bool:
    """The Indian goods and services tax number: Luhn modulo 36."""
    return luhn_over(text)


def finnish(text: str) -> bool:
    """Henkilötunnus: day, month, year, century, number; the last sign is all nine digits modulo 31."""
    if len(text) != 11 or text[6] not in "+-ABCDEFUVWXY" or not (text[:6] + text[7:10]).isdigit():
        return False
    return day_first(text) and FINNISH[int(text[:6] + text[7:10]) % 31] == text[10]


def singapore(text: str) -> bool:
    """NRIC and FIN: weights 2 7 6 5 4 3 2, an offset by the first letter, the rest modulo 11 as a letter."""
    total = weighted(text[1:8], (2, 7, 6, 5, 4, 3, 2)) + {"S": 0, "F": 0, "T": 4, "G": 4, "M": 3}[text[0]]
    letters = {"S": "JZIHGFEDCBA", "T": "JZIHGFEDCBA", "M": "XWUTRQPNJLK"}.get(text[0], "XWUTRQPNMLK")
    place = total % 11
    return letters[10 - place if text[0] == "M" else place] == text[8]


def irish(text: str) -> bool:
    """PPS number: weights 8 to 2, a second letter times nine, modulo 23 as a letter."""
    total = weighted(text[:7], range(8, 1, -1)) + (9 * (ord(text[8]) - 64) if len(text) > 8 and text[8] != "W" else 0)
    return "WABCDEFGHIJKLMNOPQRSTUV"[total % 23] == text[7]


def german_health(text: str) -> bool:
    """Krankenversichertennummer: the letter as two digits, then weights 1 2 1 2 ... with digit sums."""
    digits = f"{ord(text[0]) - 64:02d}" + text[1:9]
    total = 0
    for place, digit in enumerate(digits):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == int(text[9])


def german_pension(text: str) -> bool:
    """Rentenversicherungsnummer: the letter as two digits, weights 2 1 2 5 7 1 2 1 2 1 2 1, digit sums."""
    digits = text[:8] + f"{ord(text[8]) - 64:02d}" + text[9:11]
    total = 0
    for digit, weight in zip(digits, (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1), strict=True):
        value = int(digit) * weight
        total += value // 10 + value % 10
    return 1 <= int(text[4:6]) <= 12 and total % 10 == int(text[11])


def german_doctor(number: str) -> bool:
    """Arztnummer: weights 4 9 4 9 4 9, the complement of the sum is the seventh digit."""
    return -weighted(number[:6], (4, 9, 4, 9, 4, 9)) % 10 == int(number[6])


def taiwanese(text: str) -> bool:
    """The letter as a number from 10, weights 1 9 8 7 6 5 4 3 2 1 1."""
    lead = TAIWANESE.index(text[0]) + 10
    return (lead // 10 + lead % 10 * 9 + weighted(text[1:], (8, 7, 6, 5, 4, 3, 2, 1, 1))) % 10 == 0


def dea(text: str) -> bool:
    """US Drug Enforcement Administration: places 1 3 5 and twice 2 4 6."""
    digits = [int(digit) for digit in text[2:]]
    return (sum(digits[0:6:2]) + 2 * sum(digits[1:6:2])) % 10 == digits[6]


def chinese(text: str) -> bool:
    """GB 11643: region, birthday, number, and MOD 11-2."""
    return 1 <= int(text[10:12]) <= 12 and 1 <= int(text[12:14]) <= 31 and mod11_2(text)


def british_health(number: str) -> bool:
    """NHS number: weights 10 to 2, the complement modulo 11."""
    return len(set(number)) > 1 and -weighted(number[:9], range(10, 1, -1)) % 11 == int(number[9])


def canadian(number: str) -> bool:
    """Social insurance number: Luhn, never beginning with 0 or 8."""
    return number[0] not in "08" and len(set(number)) > 1 and luhn(number)


def australian_tax(number: str) -> bool:
    """Tax file number: weighted sum a multiple of 11."""
    weights = (1, 4, 3, 7, 5, 8, 6, 9, 10) if len(number) == 9 else (10, 7, 8, 4, 6, 3, 5, 1)
    return weighted(number, weights) % 11 == 0


def australian_company(number: str) -> bool:
    """ACN: weights 8 to 1, the complement modulo 10."""
    return -weighted(number[:8], range(8, 0, -1)) % 10 == int(number[8])


def australian_business(number: str) -> bool:
    """ABN: the first digit less one, weights 10 1 3 5 ... 19, a multiple of 89."""
    return number[0] != "0" and (weighted(number, (10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19)) - 10) % 89 == 0


def australian_medicare(number: str) -> bool:
    """Weights 1 3 7 9 1 3 7 9 modulo 10."""
    return weighted(number[:8], (1, 3, 7, 9, 1, 3, 7, 9)) % 10 == int(number[8])


def polish(number: str) -> bool:
    """PESEL: weights 1 3 7 9, the century hidden in the month."""
    check = -weighted(number[:10], (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10
    return 1 <= int(number[2:4]) % 20 <= 12 and check == int(number[10])


def polish_tax(number: str) -> bool:
    """NIP: weights 6 5 7 2 3 4 5 6 7 modulo 11."""
    return weighted(number[:9], (6, 5, 7, 2, 3, 4, 5, 6, 7)) % 11 == int(number[9])


def turkish(number: str) -> bool:
    """Odd places times seven less even places; then the sum of the first ten."""
    digits = [int(digit) for digit in number]
    tenth = (7 * sum(digits[0:9:2]) - sum(digits[1:8:2])) % 10
    return digits[9] == tenth and sum(digits[:10]) % 10 == digits[10]


def thai(number: str) -> bool:
    """Weights 13 to 2 modulo 11."""
    return number[0] not in "09" and (11 - weighted(number[:12], range(13, 1, -1)) % 11) % 10 == int(number[12])


def south_african(number: str) -> bool:
    """Birthday, sex, citizenship 0 to 2, and Luhn."""
    return date_first(number) and number[10] in "012" and luhn(number)


def korean_business(number: str) -> bool:
    """Weights 1 3 7 1 3 7 1 3 5, and the tens of the ninth product."""
    total = weighted(number[:9], (1, 3, 7, 1, 3, 7, 1, 3, 5)) + int(number[8]) * 5 // 10
    return -total % 10 == int(number[9])


def swedish(number: str) -> bool:
    """Personnummer: Luhn over the last ten digits; 60 is added to the day of a coordination number."""
    short = number[-10:]
    day = int(short[4:6])
    return 1 <= int(short[2:4]) <= 12 and (1 <= day <= 31 or 61 <= day <= 91) and luhn(short)


def swedish_company(number: str) -> bool:
    """Organisationsnummer: Luhn, the third digit at least 2."""
    return number[2] >= "2" and luhn(number)


def danish(number: str) -> bool:
    """CPR number: a day; its check digit has been given up since 2007."""
    return day_first(number)


def norwegian(number: str) -> bool:
    """Fødselsnummer: two check digits modulo 11."""
    first = -weighted(number[:9], (3, 7, 6, 1, 8, 9, 4, 5, 2)) % 11
    second = -weighted(number[:10], (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return number[9:] == f"{first}{second}"


def dutch(number: str) -> bool:
    """BSN, the test of eleven: weights 9 to 2, then -1."""
    return int(number) > 0 and weighted(number, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def belgian(number: str) -> bool:
    """Rijksregisternummer: 97 less the rest of the first nine digits, with a 2 before them from 2000 on."""
    check = int(number[9:])
    return check in (97 - int(number[:9]) % 97, 97 - int("2" + number[:9]) % 97)


def ean(number: str) -> bool:
    """EAN-13, as the Swiss AHV number has it."""
    return weighted(number, (1, 3) * 6 + (1,)) % 10 == 0


def french(number: str) -> bool:
    """NIR: 97 less the rest of the first thirteen digits."""
    return len(number) == 15 and int(number[13:]) == 97 - int(number[:13]) % 97


def brazilian(number: str) -> bool:
    """CPF: two check digits modulo 11."""
    if len(set(number)) == 1:
        return False
    first = weighted(number[:9], range(10, 1, -1)) * 10 % 11 % 10
    second = weighted(number[:10], range(11, 1, -1)) * 10 % 11 % 10
    return number[9:] == f"{first}{second}"


def brazilian_company(number: str) -> bool:
    """CNPJ: two check digits modulo 11."""
    weights = (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)
    first = weighted(number[:12], weights[1:]) * 10 % 11 % 10
    second = weighted(number[:13], weights) * 10 % 11 % 10
    return number[12:] == f"{first}{second}"


def czech(number: str) -> bool:
    """Rodné číslo: a multiple of 11 when it has ten digits."""
    month = int(number[2:4])
    return month % 50 % 20 in range(1, 13) and (len(number) == 9 or int(number) % 11 == 0)


def portuguese(number: str) -> bool:
    """NIF: weights 9 to 2 modulo 11."""
    return (11 - weighted(number[:8], range(9, 1, -1)) % 11) % 11 % 10 == int(number[8])


def israeli(number: str) -> bool:
    """Teudat Zehut: weights 1 2 1 2 ... with digit sums, which is Luhn's test."""
    return luhn(number)


def npi(number: str) -> bool:
    """US National Provider Identifier: Luhn with 80840 before it."""
    return number[0] in "12" and luhn("80840" + number)
