"""In which scripts languages are written, by their codes in ISO 15924: what a label can stand for, and what not.

Facts of the Unicode CLDR and of everyday use; rare and historical scripts are left out.
"""

from __future__ import annotations

SCRIPTS_OF: dict[str, str] = {
    code: scripts
    for scripts, codes in {
        "Cyrl": "av ba be bg bxr ce cv krc kv lez mhr mk mrj myv os ru rue sah tg tyv uk xal",
        "Cyrl Latn": "bs sh sr tt",
        "Cyrl Latn Arab": "az kk ku tk ug uz",
        "Cyrl Arab": "ky",
        "Cyrl Mong": "mn",
        "Arab": "ar arz azb ckb fa lrc mzn pnb ps ur",
        "Arab Deva": "sd",
        "Deva": "bh dty hi mai mr ne new sa",
        "Deva Latn": "gom",
        "Beng": "as bn bpy", "Guru Arab": "pa", "Gujr": "gu", "Orya": "or", "Taml": "ta", "Telu": "te", "Knda": "kn",
        "Mlym": "ml", "Sinh": "si", "Thai": "th", "Laoo": "lo", "Tibt": "bo", "Mymr": "my", "Khmr": "km",
        "Geor": "ka xmf", "Armn": "hy", "Grek": "el", "Hebr": "he yi", "Thaa": "dv", "Ethi": "am",
        "Hang Hani": "ko", "Kana Hani": "ja", "Hani": "wuu yue zh",
        "Latn": """
            af als an ast bar bcl br ca cbk ceb co cs cy da de diq dsb en eo es et eu fi fr frr fy ga gd gl gn gv hif hr
            hsb ht hu ia id ie ilo io is it jbo jv kw la lb li lmo lt lv mg min ms mt mwl nah nap nds nl nn no oc pam
            pfl pl pms pt qu rm ro sc scn sco sk sl so sq su sv sw tl tr vec vep vi vls vo wa war yo eml
        """,
    }.items()
    for code in codes.split()
}
"""Of the languages that lid.176 knows."""

SUFFIXES = {"Hans": "Hani", "Hant": "Hani", "Jpan": "Kana Hani", "Kore": "Hang Hani"}
"""Codes that stand for several scripts or for a style of one."""


def scripts_of(label: str) -> frozenset[str]:
    """The scripts of a label such as ``el`` or ``ell_Grek``; empty where they are not known."""
    if "_" in label:
        suffix = label.rpartition("_")[2]
        return frozenset(SUFFIXES.get(suffix, suffix).split())
    return frozenset(SCRIPTS_OF.get(label, "").split())
