"""Chunks that the English splitter knows by heart: contractions, abbreviations, times of day, faces.

The lists are the facts of spaCy's English tokenizer (3.8), written as the few patterns they are made of. An exception
is written with blanks where it is cut: ``"do n't"`` is the chunk ``don't`` in two tokens. Each one with an apostrophe
is there with a typographic apostrophe too.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import chain

PRONOUNS = "i you he she it we they"
QUESTIONS = "who what when where why how there that this these those"
NEGATED_AND_HAVE = "ca could do does did had may might must need ought sha should wo would"
NEGATED = "ai are is was were have has dare"
WITH_HAVE = "could might must should would"
DROPPED_G = "doin goin nothin nuthin ol somethin havin lovin"
NOT_CUT = "Ill ill Its its Hell hell Shell shell Shed shed were Were Well well Whore whore"
"""Made by the patterns, but words of their own."""

IRREGULAR = (
    "y' all|y all|how 'd 'y|How 'd 'y|not 've|not ve|Not 've|Not ve|can not|Can not|gon na|Gon na|got ta|Got ta|let 's|"
    "Let 's|c'm on|C'm on"
)
WHOLE = (
    "'S 's ‘S ‘s and/or w/o 're 'Cause 'cause 'cos 'Cos 'coz 'Coz 'cuz 'Cuz 'bout ma'am Ma'am o'clock O'clock 'd "
    "em 'em ll 'll nuff 'nuff ' '' — \\\") <space> C++ \\t \\n"
)
ABBREVIATIONS = (
    "Mt. Ak. Ala. Apr. Ariz. Ark. Aug. Calif. Colo. Conn. Dec. Del. Feb. Fla. Ga. Ia. Id. Ill. Ind. Jan. Jul. Jun. "
    "Kan. Kans. Ky. La. Mar. Mass. Mich. Minn. Miss. N.C. N.D. N.H. N.J. N.M. N.Y. Neb. Nebr. Nev. Nov. Oct. Okla. "
    "Ore. Pa. S.C. Sep. Sept. Tenn. Va. Wash. Wis. a.m. Adm. Bros. co. Co. Corp. D.C. Dr. e.g. E.g. E.G. Gen. Gov. "
    "i.e. I.e. I.E. Inc. Jr. Ltd. Md. Messrs. Mo. Mont. Mr. Mrs. Ms. p.m. Ph.D. Prof. Rep. Rev. Sen. St. vs. v.s."
)
FACES = (
    ":) :-) :)) :-)) :))) :-))) (: (-: =) (= :] :-] [: [-: [= =] :o) (o: :} :-} 8) 8-) (-8 ;) ;-) (; (-; :( :-( :(( "
    ":-(( :((( :-((( ): )-: =( >:( :') :'-) :'( :'-( :/ :-/ =/ =| :| :-| ]= =[ :1 :P :-P :p :-p :O :-O :o :-o :0 :-0 "
    ":() >:o :* :-* :3 :-3 =3 :> :-> :X :-X :x :-x :D :-D ;D ;-D =D xD XD xDD XDD 8D 8-D ^_^ ^__^ ^___^ >.< >.> <.< "
    "._. ;_; -_- -__- v.v V.V v_v V_V o_o o_O O_o O_O 0_o o_0 0_0 o.O O.o O.O o.o 0.0 o.0 0.o @_@ <3 <33 <333 </3 "
    "(^_^) (-_-) (._.) (>_<) (*_*) (¬_¬) ಠ_ಠ ಠ︵ಠ (ಠ_ಠ) ¯\\(ツ)/¯ (╯°□°）╯︵┻━┻ ><(((*>"
)
UNITS = (
    "km km² km³ m m² m³ dm dm² dm³ cm cm² cm³ mm mm² mm³ ha µm nm yd in ft kg g mg µg t lb oz m/s km/h kmh mph hPa "
    "Pa mbar mb MB kb KB gb GB tb TB T G M K % км км² км³ м м² м³ дм дм² дм³ см см² см³ мм мм² мм³ нм кг г мг м/с "
    "км/ч кПа Па мбар Кб КБ кб Мб МБ мб Гб ГБ гб Тб ТБ тбكم كم² كم³ م م² م³ سم سم² سم³ مم مم² مم³ كم غرام جرام جم كغ "
    "ملغ كوب اكواب US$ C$ A$"
)
"""Units and currencies of more than one character, cut off at the end of a chunk behind a digit."""


def contractions() -> Iterator[str]:
    """``"he 'll"``, ``"they d ve"``, ``"ca n't"``, in lower case and as a sentence begins."""
    for word in PRONOUNS.split():
        yield from _ends(word, "'ll", "'ll 've", "'d", "'d 've")
        if word == "i":
            yield from _ends(word, "'m", "'m a")
        if word in ("he", "she", "it"):
            yield from _ends(word, "'s")
        else:
            yield from _ends(word, "'ve", *(["'re"] if word != "i" else []))
    for word in QUESTIONS.split():
        yield from _ends(word, "'ll", "'ll 've", "'d", "'d 've")
        if word not in ("these", "those"):
            yield from _ends(word, "'s")
        if word not in ("that", "this"):
            yield from _ends(word, "'re", "'ve")
    for word in NEGATED_AND_HAVE.split():
        yield from _ends(word, "n't", "n't 've")
    for word in NEGATED.split():
        yield from _ends(word, "n't")
    for word in WITH_HAVE.split():
        yield from _ends(word, "'ve")


def _ends(word: str, *ends: str) -> Iterator[str]:
    for start in (word, word.title()):
        for end in ends:
            yield f"{start} {end}"
            yield f"{start} {end}".replace("'", "")


def times() -> Iterator[str]:
    """``"7 a.m."``"""
    for hour in range(1, 13):
        for half in ("a.m.", "am", "p.m.", "pm"):
            yield f"{hour} {half}"


def letters() -> Iterator[str]:
    """Single letters with a full stop: initials in a list."""
    return (f"{letter}." for letter in "abcdefghijklmnopqrstuvwxyzäöü")


@cache
def exceptions() -> dict[str, tuple[str, ...]]:
    """Chunk -> its tokens."""
    found: dict[str, tuple[str, ...]] = {}
    dropped = [word for small in DROPPED_G.split() for word in (small, small.title())]
    degrees = [f"° {scale} ." for scale in "cfkCFK"]
    dropped += [f"{word}'" for word in dropped]
    whole = chain(WHOLE.split(), ABBREVIATIONS.split(), FACES.split(), dropped, letters())
    not_cut = set(NOT_CUT.split())
    for written in chain(contractions(), times(), IRREGULAR.split("|"), degrees, whole):
        chunk = written.replace(" ", "")
        if chunk not in not_cut:
            for apostrophe in "'’":
                found[chunk.replace("'", apostrophe)] = tuple(written.replace("'", apostrophe).split())
    return found
