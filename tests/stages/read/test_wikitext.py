"""Wikitext to plain text: what a reader would read stays, markup goes, and broken markup costs no time and no text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.stages.read._wikitext import plain_text

CASES = [
    ("'''Bold''' and ''italic'' and '''''both''''' it''''s", "Bold and italic and both it's"),
    ("[[Tree]] [[Tree|trees]]s [[tree_house]] [[:Category:Trees]]", "Tree treess tree house Category:Trees"),
    ("[[Foo (bar)|]] [[Help:Foo (bar)|]]", "Foo Foo"),
    ("a[[File:x.jpg|thumb|A [[tree]] in ''Rome'']]b[[Image:y.png]]c[[Category:Trees]]d[[fr:Arbre]]", "abcd"),
    ("[[Datei:x.jpg|mini|Ein [[Baum]]]]Text[[wikt:tree|tree]]", "Texttree"),
    ("See [http://a.example the page], [https://b.example] and http://c.example [not a link].",
     "See the page, and http://c.example [not a link]."),
    ("{{Infobox|a={{b|c}}|d=[[e]]}}Text{{cite}} {{lang|fr|mot}} {{nowrap|10 km}} {{convert|5|mi|km}}",
     "Text mot 10 km 5 mi"),
    ("{{Box|<math>e^{x_{i}}</math>|[[a]]<nowiki>}}</nowiki><!-- }} -->}}kept {{NumBlk|:|<math>x_{i_{j}}</math>|1}}",
     "kept $x_{i_{j}}$"),
    ("{{Box|<nowiki/>x}}a {{Box}}b<nowiki />c {{Box|<nowiki>y</nowiki>}}", "a bc"),
    ("a{{snd}}b {{frac|1|2}} {{frac|3|1|2}}", "a – b 1/2 3 1/2"),
    ("{{lang|la|[[Roma|urbs]]}} {{lang-de|Baum}} {{abbr|Dr.|Doctor}} {{small|1=x=y}}", "urbs Baum Dr. x=y"),
    ("Fact<ref>{{cite|x}}</ref><ref name=\"a\" /><ref name=b>y</ref>.<references />", "Fact."),
    ("a<!-- no -->b<!-- open", "ab"),
    ("10<sup>6</sup> H<sub>2</sub>O x<sup>th</sup> <small>s</small><br/>new<nowiki>[[x]] ''y''</nowiki>",
     "10⁶ H₂O xth s\nnew[[x]] ''y''"),
    ("<math>a < b \\frac{x}{y}</math> <math display=\"block\">\n\\sum [[x]] {{y}}\n</math> <chem>H2O</chem>",
     "$a < b \\frac{x}{y}$ $$\\sum [[x]] {{y}}$$ $\\ce{H2O}$"),
    ("&amp;lt; 5 &nbsp;km &euro;", "&lt; 5 km €"),
    ("== One ==\ntext\n=== Empty ===\n== References ==\n{{reflist}}\n"
     "== Two ==\n* x\n** y\n# a\n# b\n\n# c\n: in\n; term",
     "## One\n\ntext\n\n## Two\n\n- x\n  - y\n1. a\n2. b\n\n1. c\nin\nterm"),
    ("== A ==\n=== B ===\ntext", "## A\n\n### B\n\ntext"),
    ("before\n{| class=x\n|-\n! h\n|-\n| a || [[b|c]] {{d|e}}\n{|\n| nested\n|}\n|}\nafter", "before\n\nafter"),
    ("<syntaxhighlight lang=\"python\">\nif a:\n    b[0] = [[1]]  # {{x}}\n</syntaxhighlight>",
     "```python\nif a:\n    b[0] = [[1]]  # {{x}}\n```"),
    ("use <code>f(x)</code> and <source lang=c>int x;</source>", "use f(x) and int x;"),
    ("The name ({{IPA|x}}; born 1815) of f() ({{IPA|y}}) is", "The name (born 1815) of f() is"),
    ("a < b and c > d, x<y", "a < b and c > d, x<y"),
    ("if x<y and a>b, vector<int> <div class=\"x\">kept</div> <unknown>",
     "if x<y and a>b, vector<int>\nkept\n<unknown>"),
    ("__NOTOC__ __init__ text", "__init__ text"),
    ("", ""),
]


@pytest.mark.parametrize(("markup", "text"), CASES)
def test_markup_becomes_the_text_a_reader_sees(markup: str, text: str) -> None:
    assert plain_text(markup, frozenset({"datei"})) == text


@pytest.mark.parametrize(("markup", "text"), [
    ("a [[b c", "a b c"), ("a ]] b }} c", "a b c"), ("a {{b c", "a b c"), ("{{a|[[b}} c", "c"),
    ("[[a|{{b]] c}} d", "a| d"),
    ("[http://a b", "[http://a b"), ("a <ref>b", "a b"), ("x <b y", "x <b y"), ("| stray row\ntext", "text"),
])
def test_broken_markup_swallows_no_more_than_itself(markup: str, text: str) -> None:
    assert plain_text(markup) == text


PIECES = ["{{", "}}", "[[", "]]", "|", "[http://x ", "]", "'''", "<ref>", "</ref>", "<ref/>", "<!--", "-->", "{|",
          "\n", "|}", "== h ==", "* ", "<math>", "</math>", "<pre>\n", "</pre>", "<br>", "&amp;", "word", " ", "File:",
          "lang", "(", ")", "\ue0000\ue001", "<sup>", "</sup>", "__TOC__", "é", "=", "\r\n"]


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.characters(codec="utf-8"), max_size=40).map("".join))
def test_any_text_is_wikitext_and_what_comes_out_holds_no_marks_of_our_own(markup: str) -> None:
    text = plain_text(markup)
    assert "\ue000" not in text and "\ue001" not in text and text == text.strip()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text("abcdé ., ", min_size=1, max_size=30), min_size=1, max_size=8).map("\n\n".join))
def test_text_without_markup_loses_only_its_spacing(text: str) -> None:
    assert plain_text(text).split() == text.split()


HOSTILE = ["{{", "[[", "{{a|", "[[a|", "<ref>", "<a", "<!--", "{|\n", "=", "\n==", ":", "[http://", "'", "<math>", "((",
           "&", "&#", "<ref ", "]]", "}}|", "* \n", "([[a]] ", "<pre></pre>", "\n", "( ,", "{{[[", "<sup>[[", "|\n"]


def test_no_repetition_of_markup_costs_more_than_linear_time() -> None:
    for piece in HOSTILE:
        for text in (piece * (150_000 // len(piece)), piece * 10_000 + "x" * 50_000 + "]]}}|}>" * 10_000):
            started = time.process_time()
            plain_text(text)
            assert time.process_time() - started < 1, piece
