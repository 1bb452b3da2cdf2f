"""Keys and tokens of services, private keys, passwords, and logins in URLs."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

from dataengine.pii.window import Hit, Window

PREFIXED = re.compile(
    rb"(?<![A-Za-z0-9])(?:"
    rb"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}(?![A-Z0-9])"  # Amazon
    rb"|AIza[\w-]{35}|GOCSPX-[\w-]{28}|ya29\.[\w-]{20,}"  # Google
    rb"|gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_\w{22,255}|gl(?:pat|dt|rt|soat)-[\w-]{20,}"  # GitHub, GitLab
    rb"|xox[abeoprs]-[\w-]{10,}|xapp-[\w-]{20,}"  # Slack
    rb"|(?:sk|rk|pk|whsec)_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9]{24,}"  # Stripe
    rb"|sq0[a-z]{3}-[\w-]{22,}"  # Square
    rb"|sk-(?:ant-|proj-|svcacct-|or-)?[A-Za-z0-9_-]{20,}|hf_[A-Za-z0-9]{30,}|r8_[A-Za-z0-9]{37}|gsk_[A-Za-z0-9]{40,}"
    rb"|npm_[A-Za-z0-9]{36}|pypi-AgE[\w-]{50,}|rubygems_[a-f0-9]{48}|dckr_pat_[\w-]{20,}"
    rb"|SG\.[\w-]{16,32}\.[\w-]{16,64}|key-[0-9a-f]{32}|(?:AC|SK)[0-9a-f]{32}(?![0-9a-f])"  # SendGrid, Mailgun, Twilio
    rb"|do[opr]_v1_[a-f0-9]{64}|shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}|EAACEdEose0cBA[A-Za-z0-9]+|lin_api_[A-Za-z0-9]{40}"
    rb"|dapi[a-f0-9]{32}|hvs\.[\w-]{24,}|glsa_\w{32,}|PMAK-[a-f0-9-]{50,}|tskey-[\w-]{16,}|ATATT3[\w=-]{50,}"
    rb"|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}|AGE-SECRET-KEY-1[A-Z0-9]{58}"
    rb"|\d{8,10}:AA[\w-]{33}"  # Telegram
    rb")"
)
"""Tokens that say of themselves what they are."""

NAMED = re.compile(
    rb"(?:api|app|application|access|auth|authorization|client|consumer|encryption|hmac|master|private|refresh|secret|security"
    rb"|service|session|shared|signing|storage|account|bearer|webhook|bot|deploy|license|aws|azure|gcp|github|slack|x)?"
    rb"[ _.-]?(?:api[ _-]?)?(?:key|secret|token|credentials?|signature|passwd|password|pwd|sig)"
    rb"(?:[ _-]?(?:id|key|value|base64|hash))?"
    rb"[\"'`\])]{0,2}(?:[ \t]{0,4}(?:=>|:=|==?|:)[ \t]{0,4}|[ \t]{1,4})(?:str\(|b|f|r|bearer |basic )?[\"'`]{0,1}$"
)
BEARER = re.compile(rb"(?:authorization|proxy-authorization)[\"']?[ ]?[:=][ ]?[\"']?(?:bearer|basic|token) $")
VALUE = re.compile(rb"[\w+/=.~-]*")
VALUE_BEFORE = re.compile(rb"[\w+/.~-]{0,96}$")
"""The rest of a key behind and before the token that was marked."""
CHANGES = re.compile(rb"(?<=[0-9])[A-Za-z]|(?<=[A-Za-z])[0-9]")
ARMOR = re.compile(rb"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----")
ARMOR_END = re.compile(rb"-----END [A-Z0-9 ]{0,40}-----")
ARMOR_BODY = re.compile(rb"(?:(?:\s|\\[nr]){0,4}[A-Za-z0-9+/=]{16,}(?![^\s\\\"']))*")
MAX_ARMOR = 16 << 10
"""A private key is not longer."""

PASSWORD = re.compile(
    rb"[\"'`]?(?:\])?[ \t]{0,4}(?:(:=|=>|==|[:=>])[ \t]{0,4}|[ ](?:is|was|will be|to)(?::|[ ])[ ]?)"
    rb"([\"'`]?)([^\s\"'`<>,;()\[\]{}]{4,64})(\2)"
)
LINE_ENDS = re.compile(rb"[.,;!?]?[ \t]*(?:$|[\r\n])")
PLACEHOLDER = re.compile(
    rb"(?i)[*x.#?_-]+$|(?:your|my|the|new|old|a|an|this|that|not|the|no|none|null|nil|true|false|undefined|required|optional"
    rb"|string|str|text|varchar|char|int|bool|bytes|any|object|password|passwd|pwd|secret|protected|incorrect|wrong|correct|invalid"
    rb"|valid|empty|hidden|encrypted|hashed|changed|reset|stored|set|sent|being|case|weak|strong|too|used|only|very|also|in|on|at|by"
    rb"|self|this|os|env|environ|config|settings|process|request|options|params|args|input|getpass|prompt|user|data|form|ctx|entry"
    rb")(?:[.:_\[].*)?$|[$%&@!].*|https?:.*|.*\.\.\..*"
)


def key(window: Window) -> Iterator[Hit]:
    """A token of a known service, or random letters and digits that are assigned to something called a key."""
    low = max(0, window.first - 12)
    for match in PREFIXED.finditer(window.text, low, len(window.text)):
        if match.start() >= window.last:
            break
        if match.end() > window.first:
            yield window.hit(match.start(), max(match.end(), window.last), "key", 88)
            return
    if window.last - window.first < 16:
        return
    begin = window.first - len(VALUE_BEFORE.search(window.text[: window.first])[0])
    end = VALUE.match(window.text, window.last).end()
    value, before = window.text[begin:end].rstrip(b"."), window.before(begin, 64)
    if (NAMED.search(before) or BEARER.search(before)) and random(value):
        yield window.hit(begin, begin + len(value), "key", 75)


def random(text: bytes) -> bool:
    """Whether it looks drawn, not written: digits among the letters in several places, and three bits a character."""
    if len(text) < 16 or len(CHANGES.findall(text)) < 3:
        return False
    bits = -sum(count / len(text) * math.log2(count / len(text)) for count in Counter(text).values())
    return bits >= 3


def private_key(data: memoryview, begin: int, high: int) -> Iterator[Hit]:
    """The whole of a private key in armor; where its end is missing, as far as it looks like one."""
    text = bytes(data[begin : min(high, begin + MAX_ARMOR)])
    head = ARMOR.match(text)
    if not head:
        return
    end = ARMOR_END.search(text, head.end())
    body = ARMOR_BODY.match(text, head.end())
    yield Hit(begin, begin + (end.end() if end else body.end()), "key", 95)


def password(window: Window) -> Iterator[Hit]:
    """What is given as a password: ``password: ...``, ``DB_PASSWORD=...``, *the password is ...*."""
    match = PASSWORD.match(window.text, window.last)
    if not match:
        return
    sign, quote, value, _ = match.groups()
    if not quote:
        value = value.rstrip(b".!?:")
    if len(value) < 4 or PLACEHOLDER.match(value):
        return
    drawn = any(48 <= byte < 58 for byte in value) or any(byte in b"!$%&*@#^~+" for byte in value)
    rest = window.text[match.end() : match.end() + 1]
    named, ends_line = sign in (b":", b"=>"), LINE_ENDS.match(window.text, match.start(3) + len(value))
    if not quote and (rest in (b"(", b"[", b"{") or not (drawn or (named and ends_line))):
        return  # a call, prose, or one variable set to another
    if quote and not rest and not match[4]:
        return
    begin = match.start(3)
    yield window.hit(begin, begin + len(value), "password", 40)


def login(window: Window) -> Iterator[Hit]:
    """User and password in ``scheme://user:word@host``; a lone token before the ``@`` when it is long."""
    user, colon, word = window.candidate.partition(b":")
    lone = len(user) >= 16 and any(48 <= byte < 58 for byte in user)
    if (colon and word and not PLACEHOLDER.match(word)) or (not colon and lone):
        yield window.hit(window.first, window.last, "login", 96)
