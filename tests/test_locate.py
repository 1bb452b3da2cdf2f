"""Positions in TOML texts: depth is counted right and in linear time, paths are written and read back."""

from __future__ import annotations

import time
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine import locate, words

SCALARS = st.one_of(st.integers(-5, 5), st.booleans(), st.floats(allow_nan=False, allow_infinity=False),
                    st.text(st.characters(codec="utf-8"), max_size=8))
NAMES = st.text(st.characters(codec="utf-8"), max_size=6)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=12)
TREES = st.dictionaries(NAMES, VALUES, max_size=4)
PATHS = st.lists(NAMES.filter(bool) | st.integers(0, 99), min_size=1, max_size=5)
MARKS = ['\\"""', '"""', "'''", "'", '"', "[", "{", "a.", "#", "\\", '"\\', "[[a]]\n", '"""a\n']


def deepest(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(deepest, inner), default=0)


def written(tree: dict) -> str:
    return "".join(f"{words.key(name)} = {words.toml(value)}\n" for name, value in tree.items())


@given(TREES)
@settings(max_examples=150, deadline=None)
def test_depth_is_that_of_the_tree_and_never_below_it(tree):
    text = written(tree)
    assert tomllib.loads(text) == tree
    true = max(map(deepest, tree.values()), default=0)
    assert true <= locate.depth(text) <= true + 1  # a number's point looks like a dotted key's


@given(TREES)
@settings(max_examples=100, deadline=None)
def test_every_value_of_a_tree_is_found_where_it_is_written(tree):
    text = written(tree)
    positions = locate.Positions(text)
    for line, (name, value) in enumerate(tree.items(), 1):
        start = len(words.key(name)) + 4
        found = positions.find((name,))
        assert (found.line, found.column, found.width) == (line, start, len(words.toml(value)))
        assert positions.find((name,), at_key=True) == locate.Span(line, 1, len(words.key(name)))
        if isinstance(value, list) and value and not isinstance(value[0], dict | list):
            assert positions.find((name, 0)) == locate.Span(line, start + 1, len(words.toml(value[0])))


@given(PATHS.filter(lambda path: isinstance(path[0], str)))
@settings(deadline=None)
def test_a_path_is_read_back_as_it_was_written(path):
    assert locate.parse(locate.render(tuple(path))) == tuple(path)


@pytest.mark.parametrize("text", ['a"b', "a[x]", 'a."b', "a]"])
def test_a_path_with_a_stray_mark_is_refused(text):
    with pytest.raises(ValueError):
        locate.parse(text)


@pytest.mark.parametrize("unit", MARKS)
def test_counting_the_depth_of_any_text_is_linear(unit):
    def seconds(count: int) -> float:
        start = time.process_time()
        locate.depth(unit * count)
        return time.process_time() - start

    assert seconds(400_000 // len(unit)) < 1


@pytest.mark.parametrize(("text", "path", "place"), [
    ("[a.b]\nx = 1\n", ("a",), (1, 1, 5)),
    ("[a.b] # ]\nx = 1\n", ("a", "b", "missing"), (1, 1, 5)),
    ('["a]b"]\nx = 1\n', ("a]b",), (1, 1, 7)),
    ('x = """\n[a]\n"""\n  [a]\ny = 1\n', ("a",), (4, 3, 3)),
    ("[[a]]\nx = 1\n[[a]]\n", ("a", 1, "x"), (3, 1, 5)),
    ('"é" = "日本"; '.rstrip("; ") + "\n", ("é",), (1, 7, 4)),
    ('b = { "é" = "ü", c = 1 }\n', ("b", "c"), (1, 22, 1)),
    ("a.b.c = 5\n", ("a", "b"), (1, 5, 1)),
    ("x = [\n  1, # [\n  [2, {y = 3}],\n]\n", ("x", 1, 1, "y"), (3, 12, 1)),
    ("x = [\n  1,\n]\n", ("x",), (1, 5, 1)),
])
def test_a_table_a_value_and_what_is_missing_have_their_places(text, path, place):
    assert locate.Positions(text).find(path) == locate.Span(*place)


def test_a_shown_line_keeps_its_columns_and_moves_no_cursor():
    line = "\ta\x1b[31m\u202eb\x85" + "x" * 500
    assert locate.shown(line).startswith(" a\ufffd[31m\ufffdb\ufffdx")
    assert len(locate.shown(line)) == locate.MAX_LINE_SHOWN
