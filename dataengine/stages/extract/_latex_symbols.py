"""Characters of mathematics as LaTeX commands."""

from __future__ import annotations

import unicodedata
from functools import cache

COMMANDS = """
α alpha β beta γ gamma δ delta ε epsilon ϵ epsilon ζ zeta η eta θ theta ϑ vartheta ι iota κ kappa λ lambda μ mu µ mu
ν nu ξ xi π pi ϖ varpi ρ rho ϱ varrho σ sigma ς varsigma τ tau υ upsilon φ varphi ϕ phi χ chi ψ psi ω omega
Γ Gamma Δ Delta Θ Theta Λ Lambda Ξ Xi Π Pi Σ Sigma Υ Upsilon Φ Phi Ψ Psi Ω Omega ∆ Delta
ℏ hbar ħ hbar ℓ ell ℘ wp ı imath ȷ jmath ∂ partial ∇ nabla ∞ infty ∅ emptyset ℵ aleph ℶ beth ∠ angle ∡ measuredangle
∢ sphericalangle ⊤ top ⊥ perp ♭ flat ♮ natural ♯ sharp ♣ clubsuit ♢ diamondsuit ♡ heartsuit ♠ spadesuit ∎ blacksquare
□ square ◻ square ■ blacksquare △ triangle ▽ triangledown ▲ blacktriangle ▼ blacktriangledown ⋆ star ★ bigstar
✓ checkmark † dagger ‡ ddagger § S ¶ P © copyright £ pounds ¥ yen ° circ ∘ circ ′ prime ″ prime\\prime
± pm ∓ mp × times ÷ div ⋅ cdot · cdot ∗ ast • bullet ∙ bullet ⊕ oplus ⊖ ominus ⊗ otimes ⊘ oslash ⊙ odot ∖ setminus
∩ cap ∪ cup ⊎ uplus ⊓ sqcap ⊔ sqcup ∧ wedge ∨ vee ⋄ diamond ≀ wr ⨿ amalg ⋉ ltimes ⋊ rtimes ⋈ bowtie
∑ sum ∏ prod ∐ coprod ∫ int ∬ iint ∭ iiint ∮ oint ⋂ bigcap ⋃ bigcup ⋀ bigwedge ⋁ bigvee ⨁ bigoplus ⨂ bigotimes
⨀ bigodot ⨆ bigsqcup ⨄ biguplus
≤ leq ≥ geq ≠ neq ≡ equiv ≈ approx ≃ simeq ∼ sim ≅ cong ∝ propto ≪ ll ≫ gg ≺ prec ≻ succ ⪯ preceq ⪰ succeq ≐ doteq
≍ asymp ⊂ subset ⊃ supset ⊆ subseteq ⊇ supseteq ⊄ not\\subset ⊈ nsubseteq ⊊ subsetneq ⊋ supsetneq ⊏ sqsubset
⊐ sqsupset ⊑ sqsubseteq ⊒ sqsupseteq ∈ in ∉ notin ∋ ni ∣ mid ∤ nmid ∥ parallel ‖ parallel ∦ nparallel ⊢ vdash ⊣ dashv
⊨ models ⊩ Vdash ≲ lesssim ≳ gtrsim ≔ coloneqq ≜ triangleq ≦ leqq ≧ geqq ⩽ leqslant ⩾ geqslant ≮ nless ≯ ngtr
∀ forall ∃ exists ∄ nexists ¬ neg ∴ therefore ∵ because ⊻ veebar
← leftarrow → rightarrow ↔ leftrightarrow ⇐ Leftarrow ⇒ Rightarrow ⇔ Leftrightarrow ↑ uparrow ↓ downarrow ↕ updownarrow
⇑ Uparrow ⇓ Downarrow ⇕ Updownarrow ↦ mapsto ⟼ longmapsto ⟵ longleftarrow ⟶ longrightarrow ⟷ longleftrightarrow
⟸ Longleftarrow ⟹ Longrightarrow ⟺ Longleftrightarrow ↗ nearrow ↘ searrow ↙ swarrow ↖ nwarrow ↪ hookrightarrow
↩ hookleftarrow ⇀ rightharpoonup ⇁ rightharpoondown ↼ leftharpoonup ↽ leftharpoondown ⇌ rightleftharpoons
↝ rightsquigarrow ↠ twoheadrightarrow ↣ rightarrowtail ⇝ rightsquigarrow ↻ circlearrowright ↺ circlearrowleft
⟨ langle ⟩ rangle 〈 langle 〉 rangle ⌊ lfloor ⌋ rfloor ⌈ lceil ⌉ rceil ⟦ llbracket ⟧ rrbracket
… ldots ⋯ cdots ⋮ vdots ⋱ ddots √ surd ∛ sqrt[3] ∜ sqrt[4]
"""
"""Character and command, in turn."""

TEXTUAL = {
    "−": "-", "‐": "-", "‑": "-", "–": "-", "∶": ":", "∕": "/", "⁄": "/", "’": "'", "*": "\\star", "$": "\\$",
    "%": "\\%", "&": "\\&", "#": "\\#", "_": "\\_", "\\": "\\backslash", "\u2061": "", "\u2062": "", "\u2063": "",
    "\u2064": "", "\u200b": "", "\u00a0": "~", "\u2003": "\\quad", "\u2009": "\\,", "\u205f": "\\:", "\u2005": "\\:",
}
"""Characters that are written by others."""

SCRIPTS = {**dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱ", (f"^{{{c}}}" for c in "0123456789+-=()ni"), strict=True)),
           **dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎", (f"_{{{c}}}" for c in "0123456789+-=()"), strict=True))}

STYLES = (
    ("BOLD ITALIC", "\\mathbf{{\\mathit{{{}}}}}"), ("BOLD SCRIPT", "\\mathbf{{\\mathcal{{{}}}}}"),
    ("BOLD FRAKTUR", "\\mathbf{{\\mathfrak{{{}}}}}"), ("SANS-SERIF BOLD", "\\mathbf{{\\mathsf{{{}}}}}"),
    ("DOUBLE-STRUCK", "\\mathbb{{{}}}"), ("SCRIPT", "\\mathcal{{{}}}"), ("FRAKTUR", "\\mathfrak{{{}}}"),
    ("BLACK-LETTER", "\\mathfrak{{{}}}"), ("SANS-SERIF", "\\mathsf{{{}}}"), ("MONOSPACE", "\\mathtt{{{}}}"),
    ("BOLD", "\\mathbf{{{}}}"), ("ITALIC", "{}"),
)
"""Words in Unicode's names of letters, and how LaTeX writes such a letter. Italic is what it does anyway."""


@cache
def _commands() -> dict[str, str]:
    words = COMMANDS.split()
    return {character: "\\" + name for character, name in zip(words[::2], words[1::2], strict=True)}


@cache
def symbol(character: str) -> str | None:
    """LaTeX for one character, or None where the character itself will do."""
    known = _commands().get(character) or SCRIPTS.get(character)
    if known is not None:
        return known
    if character in TEXTUAL:
        return TEXTUAL[character]
    if character.isascii():
        return None
    plain = unicodedata.normalize("NFKC", character)
    name = unicodedata.name(character, "")
    if len(plain) == 1 and plain != character:
        for word, pattern in STYLES:
            if word in name:
                return pattern.format(symbol(plain) or plain)
    return None
