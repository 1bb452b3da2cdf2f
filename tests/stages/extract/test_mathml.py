"""MathML as LaTeX."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from dataengine.kernels import elements, tree
from dataengine.stages.extract import _html_words, _mathml

SHARED = Path(__file__).parents[4] / "shared/data/math/mathml_latex.jsonl.gz"


def latex(mathml: str) -> str | None:
    raw = mathml.encode()
    found = tree.parse(np.frombuffer(raw, np.uint8), *elements.element_table(), *_html_words.attribute_automaton())
    node = next(int(node) for node in found.marked if found.tag[node] == elements.MATH)
    return _mathml.from_tree(raw, found, node)


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("<mi>x</mi><mo>&#8712;</mo><mi mathvariant='double-struck'>R</mi>", r"x \in \mathbb{R}"),
        ("<mfrac><mn>1</mn><msqrt><mi>π</mi></msqrt></mfrac>", r"\frac{1}{\sqrt{\pi}}"),
        ("<munderover><mo>∑</mo><mrow><mi>i</mi><mo>=</mo><mn>1</mn></mrow><mi>n</mi></munderover>",
         r"\sum_{i = 1}^{n}"),
        ("<munder><mo>lim</mo><mrow><mi>x</mi><mo>→</mo><mn>0</mn></mrow></munder>", r"\lim_{x \rightarrow 0}"),
        ("<mover><mi>v</mi><mo>→</mo></mover><mover><mi>x</mi><mo>¯</mo></mover>", r"\vec{v} \bar{x}"),
        ("<mi>sin</mi><mo>&#8289;</mo><mi>θ</mi>", r"\sin \theta"),
        ("<mrow><mo>(</mo><mtable><mtr><mtd><mn>1</mn></mtd><mtd><mn>0</mn></mtd></mtr></mtable><mo>)</mo></mrow>",
         r"\begin{pmatrix} 1 & 0 \end{pmatrix}"),
        ("<mfenced open='[' close=')' separators=';'><mi>a</mi><mi>b</mi></mfenced>", r"\left[a; b\right)"),
        ("<mo>(</mo><mi>p</mi><msup><mo>)</mo><mi>n</mi></msup>", r"\left(p\right)^{n}"),
        ("<mrow><mrow><mo>(</mo></mrow><mi>p</mi><mrow><mo>)</mo></mrow></mrow>", r"\left(p\right)"),
        ("<mrow><mo>⟨</mo><mi>a</mi><mo>⟩</mo></mrow>", r"\left\langle a \right\rangle"),
        ("<mtext>if </mtext><mi>𝐱</mi><mo>&lt;</mo><mi>ℝ</mi>", r"\text{if } \mathbf{x} < \mathbb{R}"),
        ("<msup><mi>x</mi></msup>", "x"),
        ("<unknown><mi>y</mi></unknown>", "y"),
        ("<mrow/>", None),
        ("", None),
    ],
)
def test_a_formula_is_written_as_tex_writes_it(inside: str, expected: str | None) -> None:
    assert latex(f"<math>{inside}</math>") == expected


def test_the_authors_own_tex_is_taken() -> None:
    assert latex(
        "<math><semantics><mi>x</mi><annotation encoding='application/x-tex'>x &lt; y</annotation></semantics></math>"
    ) == "x < y"
    assert latex(r"<math alttext='\alpha_1'><mi>wrong</mi></math>") == r"\alpha_1"
    assert latex("<m:math xmlns:m='x'><m:msub><m:mi>a</m:mi><m:mn>1</m:mn></m:msub></m:math>") == "a_{1}"


def test_a_formula_of_any_depth_is_read() -> None:
    assert latex("<math>" + "<mrow>" * 5000 + "x") == r"\text{x}"
    assert len(latex("<math>" + "<msup><mi>x</mi>" * 300) or "") > 300


@pytest.mark.skipif(not SHARED.exists(), reason="../shared is not there")
def test_nine_in_ten_cases_of_another_converter_come_out_the_same() -> None:
    cases = [json.loads(line) for line in gzip.decompress(SHARED.read_bytes()).splitlines()]
    same = sum("".join((latex(case["mathml"]) or "").split()) == "".join(case["latex"].split()) for case in cases)
    assert same >= 0.9 * len(cases)
