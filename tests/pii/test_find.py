"""Findings in one text: in place, never over another, the same in any surroundings, and never an error."""

from __future__ import annotations

import json
import re

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dataengine import stage
from dataengine.pii.kinds import KINDS
from dataengine.pii.scan import find, settle
from dataengine.pii.scrub import Scrubber
from dataengine.pii.window import Hit
from dataengine.stages.scrub.pii import Config

VALUES = {
    "email": ["ann.lee@mail.example.net", "jörg@bücher.example", "x_1@a-b.co.uk"],
    "phone": ["+44 20 7946 0958", "(415) 555-0132", "+49 (0)30 123-4567"],
    "credit_card": ["4111 1111 1111 1111", "378282246310005", "5555-5555-5555-4444"],
    "iban": ["DE89 3704 0044 0532 0130 00", "GB29NWBK60161331926819"],
    "ssn": ["123-45-6789"],
    "national_id": ["12345678Z", "131052-308T", "AB123456C"],
    "ip": ["84.17.46.3", "2a00:1450:4001:81b::200e"],
    "mac": ["52:54:00:9d:0e:67"],
    "crypto": ["1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"],
    "key": ["AKIAIOSFODNN7EXAMPLE"],
}
AROUND = [
    ("See ", "."), ("(", ")"), ("«", "»"), ("'", "'"), ("\n", "\n"), ("x, ", "; y"), ("値は ", " です"), ("| ", " |"),
    ('{"a": "', '"}'), ("", ""),
]
PIECES = st.sampled_from(
    [value for values in VALUES.values() for value in values]
    + [*"aZ09 .,-+@:/%()[]_=\n\"'x#", "at ", "dot", "://", "::", "password: ", "api_key = ", "phone", "SSN ", "NHS ",
       "tin ", "é", "値", "\u00a0", "\u2011", "\U0001f600", "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----",
       "00", "1" * 20]
)
TEXTS = st.lists(PIECES, max_size=25).map("".join)


@pytest.mark.parametrize(("before", "after"), AROUND)
def test_a_value_is_found_whole_in_any_usual_surroundings(before: str, after: str) -> None:
    for kind, values in VALUES.items():
        for value in values:
            text = before + value + after
            assert find(text) == [(len(before), len(before) + len(value), kind)], text


@given(TEXTS)
@example("+1")
@settings(max_examples=400, deadline=None)
def test_findings_are_in_order_apart_and_within_the_text(text: str) -> None:
    place = 0
    for first, end, kind in find(text, private_addresses=True):
        assert place <= first < end <= len(text) and kind in KINDS
        place = end


@given(st.text(max_size=100))
@example("nel file ldap.conf. Ciò farà riferimento")  # a token that ends inside a letter
@example("tarego na plik.nowy. Można go do")
@settings(max_examples=200, deadline=None)
def test_no_text_is_an_error(text: str) -> None:
    find(text, private_addresses=True)


@given(st.lists(TEXTS, max_size=4))
@settings(max_examples=100, deadline=None)
def test_rows_of_a_batch_are_judged_apart(texts: list[str]) -> None:
    scrubber = Scrubber(KINDS, {kind: (f"<{kind}>",) for kind in KINDS})
    whole, counts = scrubber.column(pa.array(texts, pa.string()))
    for row, text in enumerate(texts):
        alone, found = scrubber.column(pa.array([text], pa.string()))
        assert whole[row].as_py() == alone[0].as_py() and counts[row].tolist() == found[0].tolist()


@given(TEXTS)
@settings(max_examples=150, deadline=None)
def test_scrubbing_writes_what_replacing_the_findings_one_by_one_writes(text: str) -> None:
    expected = text
    for first, end, kind in reversed(find(text)):
        expected = expected[:first] + f"<{kind}>" + expected[end:]
    scrubber = Scrubber(KINDS, {kind: (f"<{kind}>",) for kind in KINDS})
    for kind in (pa.string(), pa.large_string()):
        assert scrubber.column(pa.array(["before", text, None, "after"], kind))[0].to_pylist() == [
            "before", expected, None, "after",
        ]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("phone 4155550132", "phone"), ("NHS number 9434765919", "national_id"), ("PESEL 44051401359", "national_id"),
        ("my SIN is 130 692 544", "national_id"), ("social security number 123 45 6789", "ssn"),
        ("ABA routing 021000021", "bank"), ("passport number C01234565", "national_id"),
        ("credit card 6304273733984", None), ("debit card 676222165679", "credit_card"),
    ],
)
def test_a_number_that_could_be_anything_needs_the_word_that_names_it(text: str, kind: str | None) -> None:
    number = re.search(r"[A-Z]?\d[\d ]+$", text)[0]
    assert find(f"total of {number}") == []
    assert [found for *_, found in find(text)] == ([kind] if kind else [])


def test_each_country_s_numbers_are_found_as_they_are_written() -> None:
    for text in (
        "DNI 12345678-Z", "NIE X-1234567-L", "codice fiscale RSSMRA85T10A562S", "CURP BOXW310820HNERXN09",
        "NINO AB 12 34 56 C", "NRIC S0000001I", "personnummer 811218-9876", "CPF 529.982.247-25",
        "CNPJ 11.222.333/0001-81", "AHV 756.9217.0769.85", "TFN 123 456 782", "ABN 51 824 753 556",
        "Aadhaar 2341 2341 2346", "PAN ABCPE1234F", "BSN 111222333", "CPR 070761-4285", "MBI 1EG4-TE5-MK73",
        "ITIN 912-70-1234", "NIR 2 55 08 14 168 025 38", "rijksregisternummer 85.07.30-033.28",
        "身份证 11010519491231002X", "TCKN 10000000146", "rodné číslo 710319/2745", "licence MORGA 753116SM9IJ",
        "RRN 960121-1234567", "KVNR A123456780", "NPI 1234567893", "OIB 33392005961",
    ):
        assert [kind for *_, kind in find(text)] == ["national_id"], text


def test_tokens_of_services_are_keys_and_names_are_not() -> None:
    body = "0123456789abcdefghijABCDEFGHIJ0123456789"
    for token in (
        "gh" + "p_" + body[:36], "xo" + "xb-123456789012-" + body[:24], "sk_li" + "ve_" + body[:24],
        "AI" + "za" + body[:35],
        "s" + "k-proj-" + body, "h" + "f_" + body[:34], "np" + "m_" + body[:36], "glp" + "at-" + body[:20],
        "ey" + "Jhbnljb2RpbmdzMQ.ey" + "JzdWIiOiIxMjM0NTY3ODkwIn0." + body,
    ):
        assert find(f"token {token} end") == [(6, 6 + len(token), "key")], token
    for text in (
        "key = test_the_second_case_of_12", "secret = config.get_secret_value(1)", "sha256 = " + "ab12" * 16,
        "token_type_ids_12345",
    ):
        assert find(text) == [], text


def test_a_heavier_finding_wins_and_the_others_stay() -> None:
    found = [Hit(0, 5, "phone", 50), Hit(3, 9, "iban", 90), Hit(9, 12, "ip", 60), Hit(1, 2, "ssn", 95)]
    assert settle(found) == [Hit(1, 2, "ssn", 95), Hit(3, 9, "iban", 90), Hit(9, 12, "ip", 60)]


def test_lists_structs_and_bytes_are_scrubbed_in_place() -> None:
    scrubber = Scrubber(KINDS, {kind: (kind,) for kind in KINDS})
    rows = [[{"role": "user", "content": "a@b.co and c@d.org"}, {"role": "bot", "content": None}], None, []]
    values = pa.array(rows, pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())])))
    for column in (values, values.slice(0, 3), pa.concat_arrays([values, values]).slice(3)):
        cleaned, counts = scrubber.column(column)
        assert cleaned.to_pylist() == [[rows[0][0] | {"content": "email and email"}, rows[0][1]], None, []]
        assert counts[:, 0].tolist() == [2, 0, 0]
    assert scrubber.column(pa.array([b"a@b.co", None]))[0].to_pylist() == [b"email", None]
    numbers = pa.array([1, 2])
    assert scrubber.column(numbers)[0] is numbers


def test_a_column_without_findings_is_not_copied() -> None:
    values = pa.array(["nothing here", "nor here"])
    assert Scrubber(KINDS, {kind: ("",) for kind in KINDS}).column(values)[0] is values


def test_settings_that_cannot_be_are_refused() -> None:
    for wrong in ({"kinds": []}, {"kinds": ["name"]}, {"columns": ["url"]}, {"replacements": {"name": "x"}}):
        with pytest.raises(ValueError):
            Config.model_validate(wrong)
    assert json.loads(stage.canonical(Config()))["kinds"] == list(KINDS)
