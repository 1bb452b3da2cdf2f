"""Bytes to text: which encoding, and how much of it did not decode.

The order is that of the WHATWG Encoding Standard, with two changes that real archives ask for: text that is valid
UTF-8 beyond ASCII is UTF-8 whatever was declared (legacy text that happens to be valid UTF-8 is vanishingly rare),
and where nothing is declared a detector is asked, whose guesses are checked for what no language writes, and give way
to windows-1252 where they are rare encodings.
"""

from __future__ import annotations

import codecs
import re

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

_MARKS = tuple(mark for mark, _ in _BOMS)

_SIGNATURES = (b"%PDF-", b"\x89PNG\r\n", b"GIF87a", b"GIF89a", b"\xff\xd8\xff", b"PK\x03\x04", b"\x1f\x8b\x08", 
               b"OggS\0", b"\x7fELF",
               b"BZh91AY", b"7z\xbc\xaf\x27\x1c", b"wOFF", b"wOF2", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd")
"""How files begin that are never text."""
_CONTROLS = bytes(byte for byte in range(1, 32) if byte not in b"\t\n\v\f\r\x1b") + b"\x7f"

_WEB_NAMES = {
    # The standard reads many labels as a superset of what they say; Python takes them at their word.
    "ascii": "cp1252", "iso8859-1": "cp1252", "latin-1": "cp1252", "iso8859-9": "cp1254", "tis-620": "cp874",
    "iso8859-11": "cp874", "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949",
    "big5": "big5hkscs",
}
_WEB_ONLY = {"x-sjis": "cp932", "ks_c_5601-1987": "cp949", "x-gbk": "gb18030", "x-x-big5": "big5hkscs",
             "unicode": "utf-16-le", "x-user-defined": "cp1252", "x-cp1251": "cp1251", "x-cp1252": "cp1252",
             "dos-874": "cp874", "windows-874": "cp874", "x-mac-cyrillic": "mac_cyrillic", "x-euc-jp": "euc_jp",
             "x-euc-kr": "cp949", "macintosh": "mac_roman", "windows-949": "cp949", "windows-31j": "cp932"}

_NOT_OF_THE_WEB = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "utf-7"})

_SEVEN_BIT = frozenset({"iso2022_jp", "hz"})
"""Encodings whose bytes all look like ASCII: only a declaration can tell them."""

_CYRILLIC = ("cp1251", "koi8-r", "iso8859-5", "cp866")
_RARE_LATIN = frozenset({"cp1257", "cp1258", "iso8859-3", "iso8859-4", "iso8859-10", "iso8859-13", "iso8859-14",
                         "iso8859-15", "iso8859-16", "mac_roman"})
_KNOWN_LATIN = frozenset({"cp1250", "cp1254", "iso8859-2"})
_ODD = re.compile(r"(?<=[^\W\d_])[^\w\s'’\-.,/()](?=[^\W\d_])|(?<=[a-zß-öø-ÿ])[À-ÖØ-Þ](?=[a-zß-öø-ÿ])"
                  r"|(?<=[а-яёѓ-џ])[А-ЯЁЂ-Џ]|[\x80-\x9f\ufffd]")
"""What no language writes: a sign between two letters, a capital inside a word, C1 controls, bytes without meaning."""

_META = re.compile(rb"""<meta[^>]{0,512}?charset\s*=\s*["']?\s*([A-Za-z0-9_:.\-]{2,40})""", re.IGNORECASE)

_SEQUENCE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
"""A character of UTF-8 beyond ASCII."""

_SAMPLE = 128 * 1024
"""Bytes a guess looks at. More changes no answer and costs 10 ms a MB."""


def decode(data: bytes, declared: str | None = None) -> tuple[str, str, float]:
    """The text of `data`, the Python name of its encoding, and the share of characters replaced by U+FFFD (0.0 to 1.0).

    `declared` is what a header or a ``<meta>`` says; an unknown name counts as none. Never raises. A leading byte
    order mark is removed. UTF-8 costs one pass; only other bytes are looked at twice.
    """
    for mark, name in _BOMS:
        if data.startswith(mark):
            return _replacing(data[len(mark):], name)
    said = web_encoding(declared)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return _replacing(data, said if said and said != "utf-8" and _decodes(data, said) else _guess(data, said))
    if said in _SEVEN_BIT and data.isascii():
        return _replacing(data, said)
    if "\0" in text[:_SAMPLE] and (wide := _wide(data)):
        return _replacing(data, wide)
    return text, "utf-8", 0.0


def is_plain_utf8(data: bytes) -> bool:
    """Whether `decode` would take these bytes as they are, whatever is declared.

    That is UTF-8 without a byte order mark, without NUL near its beginning, and without the escapes of seven-bit
    encodings. Arrow checks it without making a string.
    """
    import pyarrow as pa

    if data.startswith(_MARKS) or data.find(b"\0", 0, 4096) >= 0:
        return False
    if data.isascii():
        return b"\x1b" not in data and b"~{" not in data
    ends = len(data).to_bytes(4, "little")
    column = pa.StringArray.from_buffers(1, pa.py_buffer(bytes(4) + ends), pa.py_buffer(data))
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def looks_binary(data: bytes, content: bytes) -> bool:
    """Whether the bytes of a file, and the UTF-8 that was made of them, are no text: an image, an archive, noise.

    Control characters give noise away: a tenth of random bytes. NUL is not counted; damaged text may hold many.
    """
    if data.startswith(_SIGNATURES):
        return True
    sample = content[:16_384]
    controls = len(sample) - len(sample.translate(None, _CONTROLS))
    return controls > 8 and controls > 0.02 * len(sample)


def declared_in(html: bytes) -> str | None:
    """The charset that the page names in a ``<meta>`` of its first 4 KiB (the standard says 1 KiB; pages need more)."""
    found = _META.search(html[:4096])
    return found[1].decode("ascii") if found else None


def web_encoding(label: str | None) -> str | None:
    """Python's codec for a label as the web means it: ``iso-8859-1`` is cp1252. None for labels nobody knows."""
    if not label:
        return None
    label = label.strip().strip("\"'").lower()
    if label in _WEB_ONLY:
        return _WEB_ONLY[label]
    try:
        codec = codecs.lookup(label)
    except (LookupError, ValueError):  # ValueError: a NUL in the label
        return None
    if not codec._is_text_encoding or codec.name in _NOT_OF_THE_WEB:
        return None
    return _WEB_NAMES.get(codec.name, codec.name)


def _replacing(data: bytes, encoding: str) -> tuple[str, str, float]:
    text = data.decode(encoding, errors="replace")
    already = data.count(b"\xef\xbf\xbd") if encoding == "utf-8" else 0
    replaced = max(0, text.count("\ufffd") - already)
    return text, encoding, replaced / len(text) if text else 0.0


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _guess(data: bytes, said: str | None) -> str:
    """The encoding of bytes that are not valid UTF-8 and not what was declared."""
    from resiliparse.parse.encoding import detect_encoding

    sample = data[:_SAMPLE]
    if wide := _wide(sample):
        return wide
    if _nearly_utf8(sample):
        return "utf-8"
    if said and said != "utf-8":
        return said
    found = web_encoding(detect_encoding(sample))
    if found is None or found == "utf-8":  # "utf-8" is the detector's word for not knowing: we know it is not
        return "cp1252"
    if found in _CYRILLIC:
        return _least_odd(sample, (found, *_CYRILLIC))
    if found in _KNOWN_LATIN:
        return _least_odd(sample, (found, "cp1252"))
    return _least_odd(sample, ("cp1252", found)) if found in _RARE_LATIN else found


def _nearly_utf8(data: bytes) -> bool:
    """UTF-8 with some damage: at least four whole sequences of two bytes or more for each broken byte."""
    broken = data.decode("utf-8", errors="replace").count("\ufffd")
    whole = len(_SEQUENCE.findall(data))
    return whole >= 4 * max(1, broken)


def _wide(data: bytes) -> str | None:
    """UTF-16 without its mark: ASCII characters in it leave NUL at every other byte."""
    sample = data[:4096]
    if sample.count(0) < 2:  # one alone is an accident
        return None
    even, odd = sample[0::2].count(0) / len(sample[0::2]), sample[1::2].count(0) / len(sample[1::2])
    if odd > 0.2 and even < 0.05:
        return "utf-16-le"
    return "utf-16-be" if even > 0.2 and odd < 0.05 else None


def _least_odd(data: bytes, encodings: tuple[str, ...]) -> str:
    """The encoding under which the bytes look most like writing; the first one where several do."""
    return min(encodings, key=lambda encoding: len(_ODD.findall(data.decode(encoding, errors="replace"))))
