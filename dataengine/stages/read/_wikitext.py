"""Wikitext, the markup of MediaWiki -> plain text, in one pass and linear time however the markup is nested or broken.

Headings become ``## Heading``, lists ``- item`` and ``1. item``, mathematics ``$...$``, code fenced blocks, links their
labels. Templates, tables, references, pictures, categories and comments go; of a few templates that only dress a text
(``lang``, ``nowrap``, ``convert``) the text stays. Sections left empty lose their heading. Templates are not expanded:
that takes the whole wiki.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from itertools import pairwise

TAG = 2_000
"""Characters within which a tag must end; otherwise its ``<`` is a sign."""
DEPTH = 40
"""How deep links and templates nest. What is deeper is taken as it stands."""

_TOKEN = re.compile(
    r"<!--|</?[A-Za-z][A-Za-z0-9]*|^[ \t:*#;]*\{\|(?!\})|^[ \t:*#;]*\|\}(?!\})"
    r"|\{\{|\}\}|\[\[|\]\]|\[(?=(?:https?:|ftp:)?//|mailto:)|\]|\||'{2,}",
    re.MULTILINE,
)
_CLOSED = {name: re.compile(rf"</{name}\s{{0,9}}>", re.IGNORECASE) for name in (
    "nowiki", "pre", "math", "chem", "ce", "syntaxhighlight", "source", "ref", "references", "gallery", "timeline",
    "score", "graph", "imagemap", "templatestyles", "mapframe", "maplink", "hiero", "inputbox", "section", "style",
    "script", "sup", "sub",
)}
"""Tags whose content is not wikitext, or is looked at as a whole."""
_HTML = frozenset(re.findall(r"\w+", """
    abbr b bdi bdo big blockquote br caption center cite code data dd del dfn dir div dl dt em font h1 h2 h3 h4 h5 h6 hr
    i img includeonly indicator ins kbd languages li mark meta link noinclude nobr ol onlyinclude p poem q rb rbc rp
    rt rtc ruby s samp small span strike strong table tbody td th thead time tr translate tt tvar u ul var wbr
"""))
"""Tags that may stand in wikitext and go, their content stays. What looks like any other tag is text."""
_BRACES = re.compile(r"\{\{|\}\}|<!--|<(?:math|chem|ce|nowiki|pre|syntaxhighlight|source)\b", re.IGNORECASE)
_NAME = re.compile(r"[^|{}]{0,60}")
_CODE = frozenset({"pre", "syntaxhighlight", "source"})
_BREAKS = {"br": "\n", "p": "\n\n", "div": "\n", "li": "\n", "hr": "\n", "tr": "\n", "blockquote": "\n"}
_NAMESPACES = frozenset({"file", "image", "category", "media"})
_INTERWIKI = re.compile(r"[a-z]{2,3}(?:-[a-z\-]{2,12})?\Z")
_SWITCH = re.compile(r"__[A-Z]{3,20}__")
_LANGUAGE = re.compile(r"""\blang\s{0,9}=\s{0,9}["']?([A-Za-z0-9+#\-]{1,20})""")
_HEADING = re.compile(r"(={1,6})(.+?)\1[ \t]*\Z")
_LIST = re.compile(r"([*#:;]+)[ \t]*(.*)\Z", re.DOTALL)
_HELD = re.compile("\ue000([0-9]+)\ue001")
_EMPTY = re.compile(r"\([ ,;]+(?=[^ ,;])")
"""What a template that is gone leaves at the beginning of a parenthesis."""
_SMALL = re.compile(r"[0-9+\-=()n]+\Z")
_RAISED = str.maketrans("0123456789+-=()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿ")
_LOWERED = str.maketrans("0123456789+-=()n", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₙ")

_DRESSED = {"lang": 2, "nowrap": 1, "nobr": 1, "nobreak": 1, "small": 1, "big": 1, "em": 1, "strong": 1, "abbr": 1,
            "math": 1, "mvar": 1, "mono": 1, "code": 1, "val": 1, "smallcaps": 1, "transl": 2, "langue": 2, "frac": 0,
            "sfrac": 0, "convert": 0, "cvt": 0, "fchim": 0, "numblk": 2}
"""Template -> the argument that is its text; 0 for those that `_dressed` puts together."""
_SIGNS = {"snd": " – ", "spnd": " – ", "spaced ndash": " – ", "ndash": "–", "mdash": "—", "'": "'", "=": "=", "!": "|",
          "nbsp": " ", "pi": "π", "·": " · ", "bull": "•"}
"""Templates that stand for a sign."""


@dataclass(slots=True)
class _Frame:
    """A template, table, link or external link whose end has not come yet."""

    kind: str
    opener: str
    parts: list[str] = field(default_factory=list)
    bars: list[int] = field(default_factory=list)
    """Places in `parts` of the ``|`` that divide it."""

    def arguments(self) -> list[str]:
        """The text between the bars."""
        return ["".join(self.parts[a + 1:b]) for a, b in pairwise([-1, *self.bars, len(self.parts)])]


def plain_text(wikitext: str, namespaces: frozenset[str] = frozenset()) -> str:
    """The text of a page. `namespaces`: lower-case names of the wiki's own for files and categories, whose links go."""
    return _Page(wikitext, _NAMESPACES | namespaces).text()


class _Page:
    """One pass over one page."""

    def __init__(self, wikitext: str, namespaces: frozenset[str]) -> None:
        self.source = wikitext.replace("\r\n", "\n").replace("\ue000", "").replace("\ue001", "")
        self.namespaces = namespaces
        self.frames = [_Frame("page", "")]
        self.open = {"template": 0, "table": 0, "link": 0, "outside": 0}
        self.held: list[str] = []
        """Mathematics and code, which no later step may touch; `_HELD` stands for them."""
        self.never: set[str] = set()
        """Tags of which no further end exists, so that it is not looked for again."""
        self.ends = self._templates()
        self.never.clear()

    def text(self) -> str:
        at, source = 0, self.source
        while token := _TOKEN.search(source, at):
            if token.start() > at:
                self.frames[-1].parts.append(source[at:token.start()])
            at = self._take(token)
        self.frames[-1].parts.append(source[at:])
        whole = "".join("[" * (frame.kind == "outside") + "".join(frame.parts) for frame in self.frames)
        lines = _lines(html.unescape(_SWITCH.sub("", whole)).replace("\xa0", " "))
        return _HELD.sub(self._give_back, lines)

    def _templates(self) -> dict[int, int]:
        """Where each template ends, by where it begins: most are passed over without a look at what is in them."""
        ends: dict[int, int] = {}
        begun: list[int] = []
        at = 0
        while brace := _BRACES.search(self.source, at):
            text, at = brace[0], brace.end()
            if text == "{{":
                begun.append(brace.start())
            elif text == "}}":
                if begun:
                    ends[begun.pop()] = at
            elif text == "<!--":
                at = self._comment(at)
            elif self.source[self.source.find(">", at, at + TAG) - 1] != "/":
                close = self._close(text[1:].lower(), at)
                at = close.end() if close else at
        return ends

    def _close(self, name: str, at: int) -> re.Match[str] | None:
        """The tag that ends `name`, looked for behind `at`."""
        close = None if name in self.never else _CLOSED[name].search(self.source, at)
        if close is None:
            self.never.add(name)
        return close

    def _give_back(self, match: re.Match[str]) -> str:
        number = match[1]
        return self.held[int(number)] if len(number) < 9 and int(number) < len(self.held) else ""

    def _hold(self, text: str) -> None:
        self.held.append(text)
        self.frames[-1].parts.append(f"\ue000{len(self.held) - 1}\ue001")

    def _take(self, token: re.Match[str]) -> int:
        """Deal with a token; where to go on."""
        text, end, parts = token[0], token.end(), self.frames[-1].parts
        if text[0] == "<":
            return self._comment(end) if text == "<!--" else self._tag(token)
        if text == "|":
            if self.frames[-1].kind in ("template", "link"):
                self.frames[-1].bars.append(len(parts))
            parts.append("|")
        elif text[0] == "'":
            if len(text) == 4:
                parts.append("'")
        elif text == "{{" and (stop := self.ends.get(token.start())) and not self._keeps(end):
            return stop
        elif text in ("{{", "[[", "["):
            self._opened({"{{": "template", "[[": "link", "[": "outside"}[text], text)
        elif text in ("}}", "]]", "]"):
            self._closed({"}}": "template", "]]": "link", "]": "outside"}[text], text)
        elif text[-1] == "|":
            self._opened("table", text)
        else:
            self._closed("table", text)
        return end

    def _keeps(self, at: int) -> bool:
        """Whether anything stays of the template whose name begins at `at`."""
        name = _NAME.match(self.source, at)[0].strip().lower().replace("_", " ")
        return name in _DRESSED or name in _SIGNS or name.startswith("lang-")

    def _opened(self, kind: str, text: str) -> None:
        if len(self.frames) > DEPTH:
            self.frames[-1].parts.append(text)
            return
        self.frames.append(_Frame(kind, text))
        self.open[kind] += 1

    def _closed(self, kind: str, text: str) -> None:
        """End the innermost thing of this kind. What was begun inside it and not ended is text."""
        if not self.open[kind]:
            if kind == "outside":
                self.frames[-1].parts.append(text)
            elif kind == "link" and self.frames[-1].kind == "outside":
                self._closed("outside", "]")
            return
        if kind == "outside" and self.frames[-1].kind != "outside":
            self.frames[-1].parts.append(text)
            return
        if kind == "link" and self.frames[-1].kind == "template":
            return  # a stray end inside a template
        above: list[str] = []
        while self.frames[-1].kind != kind:
            frame = self.frames.pop()
            self.open[frame.kind] -= 1
            above.append("".join(frame.parts))
        frame = self.frames.pop()
        self.open[kind] -= 1
        frame.parts += reversed(above)
        out = self.frames[-1].parts
        if kind == "template":
            out.append(_dressed(frame.arguments()))
        elif kind == "link":
            out.append(self._link(frame.arguments()))
        elif kind == "outside":
            out.append("".join(frame.parts).partition(" ")[2])

    def _link(self, arguments: list[str]) -> str:
        target = arguments[0].strip()
        prefix, colon, rest = target.partition(":")
        if colon and prefix:
            name = prefix.strip().lower()
            if name in self.namespaces or (_INTERWIKI.match(name) and len(arguments) == 1):
                return ""
        if len(arguments) == 1:
            return target.removeprefix(":").replace("_", " ")
        label = "|".join(arguments[1:])
        if label.strip():
            return label
        return re.sub(r" ?\([^()]*\)\Z", "", rest if colon else target)  # the pipe trick

    # --- tags ---

    def _comment(self, at: int) -> int:
        end = self.source.find("-->", at)
        return end + 3 if end >= 0 else len(self.source)

    def _tag(self, token: re.Match[str]) -> int:
        source, name = self.source, token[0].lstrip("</").lower()
        known = name in _CLOSED or name in _HTML
        end = source.find(">", token.end(), token.end() + TAG) if known else -1
        if end < 0:
            self.frames[-1].parts.append(token[0])
            return token.end()
        attributes = source[token.end():end]
        if token[0][1] == "/" or attributes.endswith("/") or name not in _CLOSED:
            self.frames[-1].parts.append(_BREAKS.get(name, ""))
            return end + 1
        close = self._close(name, end + 1)
        if close is None:
            return end + 1
        self._content(name, attributes, source[end + 1:close.start()])
        return close.end()

    def _content(self, name: str, attributes: str, inner: str) -> None:
        parts = self.frames[-1].parts
        if name == "math":
            sign = "$$" if "block" in attributes else "$"
            self._hold(f"{sign}{' '.join(html.unescape(inner).split())}{sign}")
        elif name in ("chem", "ce"):
            self._hold(f"$\\ce{{{' '.join(html.unescape(inner).split())}}}$")
        elif name in _CODE and "\n" in inner:
            language = _LANGUAGE.search(attributes)
            code = html.unescape(inner).strip("\n")
            parts.append("\n")
            self._hold(f"```{language[1] if language else ''}\n{code}\n```")
            parts.append("\n")
        elif name in _CODE or name == "nowiki":
            self._hold(html.unescape(inner))
        elif name in ("sup", "sub"):
            small = _SMALL.match(inner)
            parts.append(inner.translate(_RAISED if name == "sup" else _LOWERED) if small else _without_tags(inner))


def _without_tags(text: str) -> str:
    """What stands in a ``<sup>`` that is no number: its letters; markup in it goes."""
    return "" if re.search(r"[\[\]{}<>]", text) else text


def _dressed(arguments: list[str]) -> str:
    """The text of a template that only dresses it; nothing of the others."""
    name = arguments[0].strip().lower().replace("_", " ")
    values = [value.strip() for value in arguments[1:]]
    values = [re.sub(r"\A[1-3]\s{0,9}=\s{0,9}", "", value) for value in values]
    if name in ("frac", "sfrac") and values:
        return "/".join(values[-2:]) if len(values) < 3 else f"{values[0]} {values[1]}/{values[2]}"
    if name in ("convert", "cvt") and len(values) > 1:
        return f"{values[0]} {values[1]}"
    if name in _SIGNS:
        return _SIGNS[name]
    place = _DRESSED.get(name, 1 if name.startswith("lang-") else 0)
    return values[place - 1] if 0 < place <= len(values) else ""


# --- lines ------------------------------------------------------------------------------------------------------------


def _lines(text: str) -> str:
    """Headings and lists written plainly; no heading over nothing, no two blank lines together."""
    out: list[str] = []
    waiting: list[tuple[int, str]] = []  # headings with nothing below them yet
    number = blank = 0
    for raw in text.split("\n"):
        line = " ".join(_EMPTY.sub("(", raw.replace(" ()", "")).split()) if "(" in raw else " ".join(raw.split())
        if line.startswith(("|", "{|")):
            continue
        if (heading := _HEADING.match(line)) and heading[2].strip("= "):
            level = len(heading[1])
            waiting = [(above, title) for above, title in waiting if above < level] + [(level, heading[2].strip("= "))]
            number = 0
            continue
        item = _LIST.match(line)
        ordered = bool(item and item[1][-1] == "#")
        number = number + 1 if ordered else 0
        line = _item(item, number) if item else line
        if not line or (item and not line.strip(" -.0123456789")):
            blank = 1
            continue
        for level, title in waiting:
            out += ["", f"{'#' * level} {title}"]
            blank = 1
        waiting = []
        if blank and out:
            out.append("")
        out.append(line)
        blank = 0
    return "\n".join(out).strip()


def _item(item: re.Match[str], number: int) -> str:
    marks, text = item[1], item[2].strip()
    indent = "  " * min(len(marks) - 1, 8)
    if marks[-1] == "#":
        return f"{indent}{number}. {text}"
    return f"{indent}- {text}" if marks[-1] == "*" else text
