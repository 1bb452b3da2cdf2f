"""The kinds of personal data that are told apart."""

from __future__ import annotations

from typing import Literal, get_args

Kind = Literal[
    "email",
    "phone",
    "credit_card",
    "iban",
    "bank",
    "ssn",
    "national_id",
    "ip",
    "mac",
    "crypto",
    "key",
    "password",
    "login",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""email: mail addresses; phone: telephone and fax numbers; credit_card; iban; bank: routing and account numbers; ssn:
US social security number; national_id: identity, tax, health and passport numbers of a country; ip, mac: addresses of
machines; crypto: addresses of wallets; key: keys and tokens of services, private keys; password: what follows such a
word; login: user and password in a URL."""
