"""MathML (presentation markup, W3C MathML 3) as LaTeX.

Where the author's own TeX stands beside it, in an ``<annotation>`` or ``alttext``, that is taken. The rest is written
as TeX would be: tokens with a space between, scripts always in braces, fences that match as ``\\left( \\right)``.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dataengine.stages.extract._html_attributes import attributes
from dataengine.stages.extract._latex_symbols import symbol

if TYPE_CHECKING:
    from dataengine.kernels.tree import Tree

MAX_DEPTH = 100
"""Elements inside each other beyond which only the characters are kept."""

OPENERS, CLOSERS, BARS = {"(": "(", "[": "[", "{": "\\{", "⟨": "\\langle", "〈": "\\langle", "⌊": "\\lfloor",
                          "⌈": "\\lceil"}, {
    ")": ")", "]": "]", "}": "\\}", "⟩": "\\rangle", "〉": "\\rangle", "⌋": "\\rfloor", "⌉": "\\rceil"}, {
    "|": "|", "∣": "|", "||": "\\|", "‖": "\\|", "∥": "\\|"}
FENCES = {**OPENERS, **CLOSERS, **BARS}
MATRICES = {("(", ")"): "pmatrix", ("[", "]"): "bmatrix", ("{", "}"): "Bmatrix", ("|", "|"): "vmatrix",
            ("||", "||"): "Vmatrix", ("‖", "‖"): "Vmatrix", ("∥", "∥"): "Vmatrix"}

ACCENTS = {
    "^": "hat", "ˆ": "hat", "̂": "hat", "~": "tilde", "˜": "tilde", "∼": "tilde", "̃": "tilde", "¯": "bar", "‾": "bar",
    "ˉ": "bar", "̄": "bar", "→": "vec", "⃗": "vec", "⇀": "vec", "˙": "dot", ".": "dot", "̇": "dot", "¨": "ddot",
    "̈": "ddot", "⃛": "dddot", "ˇ": "check", "˘": "breve", "´": "acute", "`": "grave", "˚": "mathring",
    "⏞": "overbrace", "︷": "overbrace", "―": "overline",
}
UNDER_ACCENTS = {"⏟": "underbrace", "︸": "underbrace", "_": "underline", "̲": "underline", "‾": "underline",
                 "¯": "underline", "―": "underline"}

VARIANTS = {
    "bold": "\\mathbf{{{}}}", "italic": "\\mathit{{{}}}", "bold-italic": "\\mathbf{{\\mathit{{{}}}}}",
    "double-struck": "\\mathbb{{{}}}", "script": "\\mathcal{{{}}}", "bold-script": "\\mathbf{{\\mathcal{{{}}}}}",
    "fraktur": "\\mathfrak{{{}}}", "bold-fraktur": "\\mathbf{{\\mathfrak{{{}}}}}", "sans-serif": "\\mathsf{{{}}}",
    "bold-sans-serif": "\\mathbf{{\\mathsf{{{}}}}}", "sans-serif-italic": "\\mathsf{{\\mathit{{{}}}}}",
    "sans-serif-bold-italic": "\\mathbf{{\\mathsf{{\\mathit{{{}}}}}}}", "monospace": "\\mathtt{{{}}}",
}
TEXT_VARIANTS = {"bold": "\\textbf{{{}}}", "italic": "\\textit{{{}}}", "bold-italic": "\\textbf{{\\textit{{{}}}}}",
                 "double-struck": "\\mathbb{{{}}}", "fraktur": "\\mathfrak{{{}}}", "bold-fraktur": "\\mathfrak{{{}}}",
                 "monospace": "\\mathtt{{{}}}"}
ENCLOSURES = {
    "actuarial": "\\overline{{\\left.{}\\right|}}", "radical": "\\sqrt{{{}}}", "box": "\\boxed{{{}}}",
    "roundedbox": "\\boxed{{{}}}", "circle": "\\boxed{{{}}}", "left": "\\left|{}\\right.", "right": "\\left.{}\\right|",
    "top": "\\overline{{{}}}", "bottom": "\\underline{{{}}}", "updiagonalstrike": "\\cancel{{{}}}",
    "downdiagonalstrike": "\\bcancel{{{}}}", "updiagonalarrow": "\\cancelto{{}}{{{}}}",
    "verticalstrike": "\\hcancel{{{}}}", "horizontalstrike": "\\hcancel{{{}}}",
    "madruwb": "\\underline{{\\left.{}\\right|}}", "phasorangle": "{{\\angle \\underline{{{}}}}}",
    "longdiv": "\\overline{{\\left.\\right){}}}",
}
TEX_LENGTHS = ("pt", "pc", "in", "cm", "mm", "em", "ex", "bp", "dd", "cc")


@dataclass
class Element:
    """An element of MathML."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Element] = field(default_factory=list)
    text: str = ""


def from_tree(content: bytes, parsed: Tree, node: int) -> str | None:
    """LaTeX of the ``<math>`` element at `node` of a page; None where it is empty."""
    tex = _annotation(content, parsed, node)
    if tex is None:
        tag = content[int(parsed.start[node]):min(int(parsed.stop[node]), int(parsed.start[node]) + 65_536)]
        said = attributes(tag).get("alttext", "")
        if "\\" in said or "^" in said or "_" in said:
            tex = said
    return tex or latex(element(content, parsed, node)) or None


def _annotation(content: bytes, parsed: Tree, node: int) -> str | None:
    """The TeX that stands in an ``<annotation encoding="application/x-tex">`` inside, if any."""
    source = content[int(parsed.start[node]):int(parsed.finish[node])]
    if b"annotation" not in source:
        return None
    for inner in range(node + 1, int(parsed.last[node])):
        if not parsed.tag[inner]:
            continue
        start, stop = int(parsed.start[inner]), int(parsed.stop[inner])
        tag = content[start:min(stop, start + 512)]
        if tag[1:11].lower() == b"annotation" and b"tex" in attributes(tag).get("encoding", "").lower().encode():
            text = content[stop:int(parsed.finish[inner])]
            return html.unescape(text.decode("utf-8", "replace")).strip() or None
    return None


def element(content: bytes, parsed: Tree, node: int) -> Element:
    """The element at `node` with all that is inside."""
    made: dict[int, tuple[Element, int]] = {}
    for inner in range(node, int(parsed.last[node])):
        start, stop = int(parsed.start[inner]), int(parsed.stop[inner])
        around = made.get(int(parsed.parent[inner]))
        if not parsed.tag[inner]:
            if around:
                around[0].text += html.unescape(content[start:stop].decode("utf-8", "replace"))
            continue
        tag = content[start:min(stop, start + 4096)]
        name = tag[1:].split(None, 1)[0].split(b">", 1)[0].rstrip(b"/").decode("utf-8", "replace").lower()
        found = Element(name.rpartition(":")[2], attributes(tag[1 + len(name):]) if len(tag) > len(name) + 2 else {})
        depth = around[1] + 1 if around else 0
        if depth > MAX_DEPTH and around:
            made[inner] = around  # its text becomes text of the element around
            continue
        made[inner] = found, depth
        if around:
            around[0].children.append(found)
    return made[node][0]


def latex(math: Element) -> str:
    """LaTeX of an element of MathML, white space made single."""
    return " ".join(_of(math).split())


def _of(found: Element) -> str:
    return WRITERS.get(found.name, _row)(found)


def _all(children: list[Element]) -> list[str]:
    return [_of(child) for child in children]


def _row(found: Element) -> str:
    """What stands side by side: fences that match become one group."""
    if not found.children:
        return "" if found.name == "none" else _text(found) if found.text.strip() else ""
    if found.name == "mrow" and (system := _cases(found.children)):
        return system
    return " ".join(_fenced(found.children))


def _cases(children: list[Element]) -> str | None:
    """A brace before a table, and nothing behind it: a system of equations."""
    closing = children[2].text.strip() if len(children) == 3 and children[2].name == "mo" else ""
    if len(children) not in (2, 3) or (len(children) == 3 and (children[2].name != "mo" or closing)):
        return None
    if children[0].name != "mo" or children[0].text.strip() != "{" or children[1].name != "mtable":
        return None
    return f"\\begin{{cases}} {_rows(children[1])} \\end{{cases}}"


def _operator(found: Element) -> str | None:
    """The text of an ``<mo>``, also of one that is alone in a row."""
    while found.name == "mrow" and len(found.children) == 1:
        found = found.children[0]
    return found.text.strip() if found.name == "mo" else None


def _fenced(children: list[Element]) -> list[str]:
    """LaTeX of siblings, from each opening fence to the one that closes it in ``\\left`` and ``\\right``."""
    levels: list[tuple[str, list[Element]]] = [("", [])]
    for child in children:
        sign = _operator(child)
        opened = levels[-1][0]
        scripted = child.name in ("msub", "msup", "msubsup") and child.children
        base = _operator(child.children[0]) if scripted else None
        if sign is not None and ((sign in CLOSERS and opened in OPENERS) or (sign in BARS and sign == opened)):
            inside = levels.pop()[1]
            levels[-1][1].append(_group(opened, sign, inside))
        elif base is not None and ((base in CLOSERS and opened in OPENERS) or (base in BARS and base == opened)):
            inside = levels.pop()[1]
            group = _group(opened, base, inside)
            levels[-1][1].append(Element(child.name, child.attributes, [group, *child.children[1:]]))
        elif sign is not None and (sign in OPENERS or sign in BARS):
            levels.append((sign, []))
        else:
            levels[-1][1].append(child)
    whole = levels[0][1]
    for sign, inside in levels[1:]:  # never closed: a sign like others
        whole += [Element("mo", {}, [], sign), *inside]
    return _all(whole)


def _group(opening: str, closing: str, inside: list[Element]) -> Element:
    content = inside if len(inside) == 1 else [Element("mrow", {}, inside)]
    return Element("mfenced", {"open": opening, "close": closing, "separators": ""}, content)


def _mfenced(found: Element) -> str:
    opening = found.attributes.get("open", "(").strip()
    closing = found.attributes.get("close", ")").strip()
    if len(found.children) == 1:
        child = found.children[0]
        while child.name in ("mrow", "mstyle") and len(child.children) == 1:
            child = child.children[0]
        if child.name == "mtable" and (name := MATRICES.get((opening, closing))):
            return f"\\begin{{{name}}}\n {_rows(child)} \n\\end{{{name}}}"
    signs = [sign for sign in found.attributes.get("separators", ",") if not sign.isspace()]
    text = ""
    for i, part in enumerate(_all(found.children)):
        text += (signs[min(i - 1, len(signs) - 1)] + " " if i and signs else " " if i else "") + part
    left, right = FENCES.get(opening, opening) or ".", FENCES.get(closing, closing) or "."
    return f"\\left{left}{_apart(left, text)}\\right{right}"


def _apart(command: str, text: str) -> str:
    """Text behind a command: a letter would be read as a part of its name."""
    return f" {text} " if command[-1:].isalpha() else text


def _rows(table: Element) -> str:
    rows = (_cells(row) if row.name in ("mtr", "mlabeledtr") else _of(row) for row in table.children)
    return " \\\\\n ".join(rows)


def _cells(row: Element) -> str:
    return " & ".join(_row(cell) for cell in row.children)


def _mtable(found: Element) -> str:
    sides: set[str] = set()
    for part in (found, *found.children, *(cell for row in found.children for cell in row.children)):
        sides.update(part.attributes.get("columnalign", "").split())
    name = "aligned" if {"left", "right"} <= sides else "matrix"
    return f"\\begin{{{name}}}{_rows(found)}\\end{{{name}}}"


def _signs(text: str) -> str:
    """Each character as LaTeX; a command before a letter is set apart."""
    parts: list[str] = []
    command = False  # the last part is one whose name a letter would lengthen
    for character in text:
        said = symbol(character)
        part = character if said is None else said
        parts.append(f" {part}" if command and part[:1].isalpha() else part)
        command = len(part) > 1 and part[0] == "\\" and part[-1].isalpha()
    return "".join(parts)


def _mi(found: Element) -> str:
    text = found.text.strip()
    written = _signs(text)
    if pattern := VARIANTS.get(found.attributes.get("mathvariant", "")):
        return pattern.format(written) if written else ""
    if len(text) > 1 and text.isalpha() and text.isascii():
        return f"\\{text}" if text in FUNCTIONS else text
    return written


FUNCTIONS = frozenset((
    "arccos", "arcsin", "arctan", "arg", "cos", "cosh", "cot", "coth", "csc", "deg", "det", "dim", "exp", "gcd", "hom",
    "inf", "ker", "lg", "lim", "liminf", "limsup", "ln", "log", "max", "min", "Pr", "sec", "sin", "sinh", "sup", "tan",
    "tanh"))
LIMITED = frozenset((
    "\\sum", "\\prod", "\\coprod", "\\int", "\\iint", "\\iiint", "\\oint", "\\bigcup", "\\bigcap", "\\bigvee",
    "\\bigwedge", "\\bigoplus", "\\bigotimes", "\\lim", "\\liminf", "\\limsup", "\\max", "\\min", "\\sup", "\\inf"))
"""What carries its limits below and above."""


def _mo(found: Element) -> str:
    text = found.text.strip()
    if text in FUNCTIONS:
        return f"\\{text}"
    if text in ("∥", "‖"):
        return "\\parallel"
    if text == "∣":
        return "\\mid"
    if text in OPENERS or text in ("|", "||"):
        return f"\\left{FENCES[text]}\\right."
    if text in CLOSERS:
        return f"\\left.\\right{FENCES[text]}"
    return _signs(text)


def _text(found: Element) -> str:
    pattern = TEXT_VARIANTS.get(found.attributes.get("mathvariant", ""), "\\text{{{}}}")
    parts: list[str] = []
    run = ""
    for character in " ".join(found.text.split("\n")) + "\0":
        plain = (character.isalnum() and symbol(character) is None) or character in " .,;:!?'\"()-/"
        if plain:
            run += character
            continue
        if run:
            parts.append(pattern.format(run))
            run = ""
        if character != "\0":
            parts.append(_signs(character))
    return "".join(parts)


def _scripted(found: Element) -> str:
    """Sub- and superscripts; a base of several parts is put in parentheses."""
    if len(found.children) < 2:
        return _row(found)
    base, *scripts = found.children
    written = _of(base)
    if len(base.children) > 1 and len(written) > 1 and base.name != "mfenced":
        written = f"\\left({written}\\right)"
    marks = {"msub": "_", "msup": "^"}.get(found.name, "_^")
    return written + "".join(f"{mark}{{{_of(script)}}}" for mark, script in zip(marks, scripts, strict=False))


def _multiscripts(found: Element) -> str:
    if not found.children:
        return ""
    base, *scripts = found.children
    names = [script.name for script in scripts]
    cut = names.index("mprescripts") if "mprescripts" in names else len(scripts)
    written = _of(base)
    body = written if len(written) == 1 else f"{{{written}}}"
    after = _pairs(scripts[:cut])
    return "".join("{}" + pair for pair in _pairs(scripts[cut + 1:])) + body + "{}".join(after)


def _pairs(scripts: list[Element]) -> list[str]:
    """``_{a}^{b}`` for each two scripts, ``<none/>`` left out."""
    pairs = []
    for i in range(0, len(scripts), 2):
        below, above = (_of(script) for script in [*scripts[i:i + 2], Element("none")][:2])
        pairs.append((f"_{{{below}}}" if below else "") + (f"^{{{above}}}" if above else ""))
    return [pair for pair in pairs if pair]


def _under_over(found: Element) -> str:
    if len(found.children) < 2:
        return _row(found)
    base, *marks = found.children
    written = _of(base)
    if len(marks) > 1 or written in LIMITED:
        where = "_^" if found.name == "munderover" else "_" if found.name == "munder" else "^"
        return written + "".join(f"{sign}{{{_of(mark)}}}" for sign, mark in zip(where, marks, strict=False))
    accents = UNDER_ACCENTS if found.name == "munder" else ACCENTS
    sign = _operator(marks[0]) or marks[0].text.strip()
    if command := accents.get(sign):
        if len(written) > 1 and command == "bar":
            command = "overline"
        return f"\\{command}{{{written}}}"
    return f"\\{'underset' if found.name == 'munder' else 'overset'}{{{_of(marks[0])}}}{{{written}}}"


def _fraction(found: Element) -> str:
    if len(found.children) != 2:
        return _row(found)
    above, below = _all(found.children)
    if found.attributes.get("bevelled", "false").lower() == "true":
        return "/".join(part if len(part) == 1 else f"\\left({part}\\right)" for part in (above, below))
    thickness = found.attributes.get("linethickness", "").strip().lower()
    if thickness and not thickness.strip("0.ptxemc%in") and "0" in thickness:
        thickness = "0pt"
    if thickness.endswith(TEX_LENGTHS) and thickness[0].isdigit():
        return f"\\genfrac{{}}{{}}{{{thickness}}}{{}}{{{above}}}{{{below}}}"
    return f"\\frac{{{above}}}{{{below}}}"


def _root(found: Element) -> str:
    if len(found.children) != 2:
        return _row(found)
    content, order = _all(found.children)
    return f"\\sqrt[{order}]{{{content}}}"


def _space(found: Element) -> str:
    return " \\\\ " if found.attributes.get("linebreak") == "newline" else " "


def _enclosed(found: Element) -> str:
    content = " ".join(_fenced(found.children))
    for notation in found.attributes.get("notation", "longdiv").split():
        content = ENCLOSURES.get(notation, "{}").format(content)
    return content


def _first(found: Element) -> str:
    return _of(found.children[0]) if found.children else ""


WRITERS: dict[str, Callable[[Element], str]] = {
    "mi": _mi, "mo": _mo, "mn": lambda found: _signs(found.text.strip()), "mtext": _text, "ms": _text,
    "msub": _scripted, "msup": _scripted, "msubsup": _scripted, "mmultiscripts": _multiscripts,
    "munder": _under_over, "mover": _under_over, "munderover": _under_over, "mfrac": _fraction, "mroot": _root,
    "msqrt": lambda found: f"\\sqrt{{{' '.join(_fenced(found.children))}}}", "mfenced": _mfenced, "mtable": _mtable,
    "mtr": _cells, "mspace": _space, "mphantom": lambda found: "", "menclose": _enclosed, "maction": _first,
    "semantics": _first, "annotation": lambda found: "", "annotation-xml": lambda found: "", "none": lambda found: "",
    "mprescripts": lambda found: "", "merror": lambda found: f"\\color{{red}}{{{' '.join(_fenced(found.children))}}}",
}
