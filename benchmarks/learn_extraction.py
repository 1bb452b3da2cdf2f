"""Learn the weights of `extract.html` again, and say by cross-validation how well they find the main content.

    python -m benchmarks.learn_extraction --more wcxb=DIR fundus=DIR fundus_evaluation=DIR [--write]

Needs catboost, and for the teachers trafilatura and readability-lxml, none of which the package itself needs. Pages
come from the development half of three public sets, in the folder ``--data``:

- article-extraction-benchmark (scrapinghub, MIT) and readability's test pages (mozilla, Apache-2.0) give the whole text
  of the main content. It is aligned with the blocks of the page, word 4-gram by word 4-gram; a block is as good as the
  share of its words that are found.
- trafilatura's evaluation pages (adbar, Apache-2.0) give a few segments that belong to the content and a few that do
  not. Blocks that hold one are labelled by it. Of the others, trafilatura and readability say what they would keep;
  where the two do not agree a block counts for little.

More pages come from checkouts of further sets, see `benchmarks.page_sets`; without them the model is worse. The pages
of a set weigh the same, and in each every word. Folds are made of sites, so that no model is judged on a site it has
seen. What a model looks at, the `COLUMNS` features that matter most in a short first try, is chosen from the pages it
learns from.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.extraction import (
    DATA,
    SETS,
    WORD,
    Example,
    examples,
    grams,
    overlap,
    readability,
    scores,
    segments,
    squeezed,
    trafilatura,
)
from benchmarks.machine import stamp
from benchmarks.page_sets import READERS
from dataengine.kernels import block_features, page_text
from dataengine.kernels.blocks import FORMULA_CHARS
from dataengine.kernels.boosted_trees import DEPTH, Trees, log_odds
from dataengine.kernels.main_content import THRESHOLD
from dataengine.stages.extract import _html_page
from dataengine.stages.extract.html import Config, utf8_content

PARAMETERS = {
    "loss_function": "CrossEntropy", "depth": DEPTH, "learning_rate": 0.1, "l2_leaf_reg": 10, "rsm": 0.2,
    "border_count": 64, "bootstrap_type": "Bernoulli", "subsample": 0.7, "score_function": "Cosine",
    "leaf_estimation_iterations": 1, "boost_from_average": False, "boosting_type": "Plain", "thread_count": 1,
    "verbose": False, "allow_writing_files": False,
}
TREES = 400
COLUMNS, TRY_TREES, TRY_RATE, TRY_STEP = 150, 80, 0.2, 3
"""Features that a model looks at, and the model that says which: few trees that learn fast, from every third block."""
SEEDS = (1, 2, 3)
"""A model is learnt with each, and the mean of what they say is taken: alone they differ by .005 of F1 on 80 pages."""
SHARES = {"aeb": 2.0, "readability": 2.0, "trafilatura": 2.0, "wcxb": 1.0, "fundus": 1.0, "wcxb_other": 0.5}
"""How much pages of a set count: hand-made sets twice, pages that are no article half."""
WHOLE_WEIGHT = 4.0
"""A block that counts for less stands, with the chance of its share, for others like it; most blocks are of menus."""
MOST_BLOCKS = 4000
"""Longer pages are not learnt from: their blocks are much the same."""
STYLE = int(page_text.HEADINGS | page_text.BULLETS | page_text.TABLES)


@dataclass
class Learnt:
    """A page with its blocks and what they are to be taken for."""

    of: Example
    page: _html_page.Page
    texts: list[str]
    """The text of each block."""
    good: np.ndarray = field(default_factory=lambda: np.zeros(0))
    """How good each block is, 0 to 1, and..."""
    weight: np.ndarray = field(default_factory=lambda: np.zeros(0))
    """...how much that counts."""

    @property
    def marks(self) -> list[str]:
        """Pages that share one of these are of one site: the host, and where none is known the name and the first
        words of the text."""
        address = re.sub(r"^(hard::|https?://)+", "", self.of.url)
        host = address.split("/")[0] if "/" in address else address.split("-")[0]
        if self.of.set != "readability":
            return [host_name(host)]
        said = HOST.search(CANONICAL.search(self.of.html).group()) if CANONICAL.search(self.of.html) else None
        return [host_name(said.group(1).decode("utf-8", "replace")) if said else self.of.id,
                "name " + re.sub(r"(-\d+)+$", "", self.of.id.removeprefix("rdb-")),
                "text " + " ".join(WORD.findall(self.of.gold)[:5])]


CANONICAL = re.compile(rb"""<link[^>]+rel=["']?canonical[^>]*>|<meta[^>]+og:url[^>]*>""", re.I)
HOST = re.compile(rb"""https?://([^/"'?#>\s]+)""")


def host_name(host: str) -> str:
    return host.lower().removesuffix(".html").removeprefix("www.")


def load(found: Iterable[Example]) -> list[Learnt]:
    """Pages, parsed; those without text, and very long ones, are left out."""
    pages = []
    for example in found:
        content, _ = utf8_content(example.html, None, Config())
        page = _html_page.read(content)
        count = page.blocks.first.size
        if 0 < count <= MOST_BLOCKS or example.set in SETS:
            texts = [_html_page.text(page, only(page, block), 0) for block in range(count)]
            pages.append(Learnt(example, page, texts))
    return pages


def folds_of(pages: list[Learnt], folds: int) -> np.ndarray:
    """The fold of each page: those of one site are in one."""
    group: dict[str, str] = {}

    def leader(mark: str) -> str:
        while group.setdefault(mark, mark) != mark:
            mark = group[mark]
        return mark

    for page in pages:
        for mark in page.marks[1:]:
            group[leader(mark)] = leader(page.marks[0])
    return np.array([int(hashlib.md5(f"{leader(page.marks[0])}s".encode()).hexdigest(), 16) % folds for page in pages])


def only(page: _html_page.Page, block: int) -> np.ndarray:
    keep = np.zeros(page.blocks.first.size, np.bool_)
    keep[block] = True
    return keep


# --- labels -----------------------------------------------------------------------------------------------------------

def aligned(texts: list[str], gold: str) -> np.ndarray:
    """The share of the words of each block that are in `gold`, in 4-grams; of the shortest, by order."""
    words = [word for text in texts for word in WORD.findall(text)]
    owner = [block for block, text in enumerate(texts) for _ in WORD.findall(text)]
    target = WORD.findall(gold)
    known = grams(target)
    inside, ordered = np.zeros(len(words), bool), np.zeros(len(words), bool)
    for i in range(len(words) - 3):
        if tuple(words[i:i + 4]) in known:
            inside[i:i + 4] = True
    for match in difflib.SequenceMatcher(None, words, target, autojunk=False).get_matching_blocks():
        ordered[match.a:match.a + match.size] = True
    count = np.maximum(np.bincount(owner, minlength=len(texts)), 1) if words else np.ones(len(texts))
    by_gram, by_order = (
        (np.bincount(owner, weights=hit, minlength=len(texts)) if words else np.zeros(len(texts))) / count
        for hit in (inside, ordered))
    short = np.where(count < 4, by_order == 1, (by_order == 1) & (by_gram > 0))
    return np.where(count >= 8, by_gram, np.where(short, 1.0, np.where(count >= 4, by_gram, 0.0)))


def label(example: Learnt, teachers: tuple[str, ...]) -> None:
    """Fill in `good` and `weight`."""
    words = np.array([len(WORD.findall(text)) for text in example.texts], float)
    share = np.minimum(words, 200) + 2
    if example.of.set != "trafilatura":
        example.good = aligned(example.texts, example.of.gold)
        total = max(len(WORD.findall(example.of.gold)), 20)
        # formulas are LaTeX here, and something else in any gold
        plain = (words > 0) & (example.page.blocks.measures[:, FORMULA_CHARS] == 0)
        example.weight = np.minimum(share / total * 200, 40) * plain
        return
    first, second = (aligned_by_grams(example.texts, text) > 0.5 for text in teachers)
    example.good = np.where(first, 0.65, 0.0) + np.where(second, 0.35, 0.0)
    total = max(float((words * first).sum()), 50)
    example.weight = np.minimum(share / total * 70, 15) * (words > 0)
    for value, parts in ((1.0, example.of.inside), (0.0, example.of.outside)):
        for block, text in enumerate(map(squeezed, example.texts)):
            if any((segment and segment in text) or (len(text) >= 20 and text in segment) for segment in parts):
                example.good[block] = value
                example.weight[block] = max(3 * example.weight[block], 12)


def aligned_by_grams(texts: list[str], other: str) -> np.ndarray:
    """As `aligned`, for what another extractor made: short blocks count where they are a line of it."""
    known, lines = grams(WORD.findall(other)), {squeezed(line) for line in other.splitlines()}
    words = [word for text in texts for word in WORD.findall(text)]
    owner = [block for block, text in enumerate(texts) for _ in WORD.findall(text)]
    inside = np.zeros(len(words), bool)
    for i in range(len(words) - 3):
        if tuple(words[i:i + 4]) in known:
            inside[i:i + 4] = True
    count = np.bincount(owner, minlength=len(texts)) if words else np.zeros(len(texts))
    hits = np.bincount(owner, weights=inside, minlength=len(texts)) if words else np.zeros(len(texts))
    whole = np.array([squeezed(text) in lines or f"- {squeezed(text)}" in lines for text in texts], float)
    return np.where(count >= 4, hits / np.maximum(count, 1), whole)


# --- scores -----------------------------------------------------------------------------------------------------------

def scored(pages: list[Learnt], folds: np.ndarray, kept: list[np.ndarray]) -> str:
    """The F1 of each set of the blocks that are kept, as its scorer measures it, with the standard error over folds."""
    texts = [_html_page.text(page.page, keep, STYLE) for page, keep in zip(pages, kept, strict=True)]
    said = []
    for name in dict.fromkeys(page.of.set for page in pages):
        pairs = [(page.of, text, fold) for page, text, fold in zip(pages, texts, folds, strict=True)
                 if page.of.set == name]
        measure = segments if name == "trafilatura" else overlap
        by_fold = [f1(*measure([pair[:2] for pair in pairs if pair[2] == fold]))
                   for fold in sorted({pair[2] for pair in pairs})]
        error = np.std(by_fold, ddof=1) / len(by_fold) ** 0.5
        said.append(f"{name} {f1(*measure([pair[:2] for pair in pairs])):.4f} ± {error:.4f}")
    mine = [(page.of, text) for page, text in zip(pages, texts, strict=True) if page.of.set in SETS]
    return ", ".join(said) + f", code {scores(*zip(*mine, strict=True))['code']:.4f}"


def f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / max(precision + recall, 1e-9)


def chosen(pages: list[Learnt], chances: np.ndarray, threshold: float) -> list[np.ndarray]:
    """Which blocks of each page are kept, given the probabilities of all blocks of all pages."""
    cuts = np.cumsum([len(page.texts) for page in pages])[:-1]
    return [_html_page.choose(page.page, part, threshold) if part.size else part > 0
            for page, part in zip(pages, np.split(chances, cuts), strict=True)]


# --- learning ---------------------------------------------------------------------------------------------------------

@dataclass
class Table:
    """All blocks of all pages."""

    features: np.ndarray
    good: np.ndarray
    weight: np.ndarray
    fold: np.ndarray


def table_of(pages: list[Learnt], folds: np.ndarray) -> Table:
    """The blocks of the pages, and which of them are learnt from."""
    ends = np.cumsum([len(page.texts) for page in pages])
    features = np.zeros((ends[-1], block_features.FEATURES), np.float32)
    for page, end in zip(pages, ends, strict=True):
        if page.texts:
            features[end - len(page.texts):end] = _html_page.features(page.page)[1]
    weight = np.concatenate([page.weight * SHARES[page.of.set] for page in pages])
    chance = np.minimum(weight / WHOLE_WEIGHT, 1)
    stays = np.random.default_rng(1).random(weight.size) < chance
    return Table(features, np.concatenate([page.good for page in pages]).astype(np.float32),
                 np.where(stays, weight / np.maximum(chance, 1e-9), 0).astype(np.float32),
                 np.repeat(folds, [len(page.texts) for page in pages]))


@dataclass
class Fitted:
    """A model, and which features it looks at."""

    model: Any
    columns: np.ndarray


def fit(table: Table, rows: np.ndarray) -> list[Fitted]:
    """Models that have learnt from some of the blocks, one for each seed."""
    from catboost import CatBoost, Pool

    def learn(rows: np.ndarray, columns: np.ndarray, **parameters: Any) -> Any:
        pool = Pool(table.features[np.ix_(rows, columns)], table.good[rows],
                    weight=table.weight[rows] / table.weight[rows].mean())
        return CatBoost({**PARAMETERS, **parameters}).fit(pool)

    rows, found = np.flatnonzero(rows & (table.weight > 0)), []
    for seed in SEEDS:
        short = learn(rows[::TRY_STEP], np.arange(block_features.FEATURES), iterations=TRY_TREES,
                      learning_rate=TRY_RATE, random_seed=seed)
        columns = np.sort(np.argsort(-short.get_feature_importance(type="PredictionValuesChange"))[:COLUMNS])
        found.append(Fitted(learn(rows, columns, iterations=TREES, random_seed=seed), columns))
    return found


def unseen(table: Table) -> np.ndarray:
    """What models say of the pages that they have not learnt from: log odds."""
    found = np.zeros(table.good.size, np.float32)
    for fold in np.unique(table.fold):
        rows = table.fold == fold
        found[rows] = log_odds(table.features[rows], as_trees(fit(table, ~rows)))
    return found


def as_trees(fitted: list[Fitted]) -> Trees:
    """The mean of CatBoost models as arrays: the trees of all, each leaf divided by the number of models."""
    parts = [trees_of(model) for model in fitted]
    columns = np.unique(np.concatenate([part.columns for part in parts]))
    feature = [np.searchsorted(columns, part.columns)[part.feature] for part in parts]
    return Trees(columns, np.concatenate(feature).astype(np.int16), np.concatenate([part.threshold for part in parts]),
                 np.concatenate([part.value for part in parts]) / np.float32(len(parts)))


def trees_of(fitted: Fitted) -> Trees:
    """A CatBoost model as arrays."""
    with tempfile.TemporaryDirectory() as folder:
        fitted.model.save_model(f"{folder}/model.json", format="json")
        said = json.loads(Path(folder, "model.json").read_text())
    scale, (bias,) = said["scale_and_bias"]
    if scale != 1 or bias != 0:
        raise ValueError(f"the model is scaled by {scale} and shifted by {bias}, which trees alone do not say")
    trees = said["oblivious_trees"]
    feature, threshold = np.zeros((len(trees), DEPTH), np.int64), np.full((len(trees), DEPTH), np.inf, np.float32)
    value = np.zeros((len(trees), 1 << DEPTH), np.float32)
    for k, tree in enumerate(trees):  # a tree may have fewer levels; the others set no bit
        for depth, split in enumerate(tree["splits"]):
            feature[k, depth], threshold[k, depth] = split["float_feature_index"], split["border"]
        value[k, :len(tree["leaf_values"])] = tree["leaf_values"]
    columns, places = np.unique(fitted.columns[feature], return_inverse=True)
    return Trees(columns.astype(np.int16), places.reshape(feature.shape).astype(np.int16), threshold, value)


def checked(fitted: list[Fitted], features: np.ndarray) -> Trees:
    """CatBoost models as arrays, of which the kernel says what CatBoost says of the models, on average."""
    trees = as_trees(fitted)
    expected = sum(one.model.predict(features[:, one.columns], prediction_type="RawFormulaVal") for one in fitted)
    expected = expected / len(fitted)
    found = log_odds(features, trees)
    worst = float(np.abs(expected - found).max())
    if worst > 1e-3:
        raise ValueError(f"the kernel differs from CatBoost by up to {worst}")
    return trees


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--more", nargs="*", default=[], metavar="SET=FOLDER",
                        help=f"further sets to learn from, of {', '.join(READERS)}")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="learn from all pages and replace the package's weights")
    options = parser.parse_args()
    if not options.data.is_dir():
        parser.error(f"{options.data} is not there: name the folder of the sets with --data")
    more = dict(said.partition("=")[::2] for said in options.more)
    for name, folder in more.items():
        if name not in READERS or not Path(folder).is_dir():
            parser.error(f"--more {name}={folder}: write SET=FOLDER, with one of {', '.join(READERS)} and a folder")
    print(f"{stamp()}, one thread", flush=True)
    pages = load(examples(options.data)) + [
        page for name, folder in more.items() for page in load(READERS[name](Path(folder)))]
    teachers = trafilatura(), readability()
    for page in pages:
        label(page, tuple(teach(page.of.html) for teach in teachers) if page.of.set == "trafilatura" else ())
    folds = folds_of(pages, options.folds)
    table = table_of(pages, folds)
    print(f"{len(pages)} pages ({Counter(page.of.set for page in pages)}), {table.good.size} blocks, "
          f"{(table.weight > 0).sum()} of them learnt from, {table.features.shape[1]} features", flush=True)
    chances = _html_page.probability(unseen(table))
    print("unseen sites:", scored(pages, folds, chosen(pages, chances, THRESHOLD)), flush=True)
    if options.write:
        write(checked(fit(table, np.ones(table.good.size, bool)), table.features))


def write(trees: Trees) -> None:
    """Replace the package's weights. Leaves are rounded to half precision, which moves log odds by less than .01."""
    np.savez_compressed(_html_page.WEIGHTS, **{
        name: array.astype(np.float16) if name == "value" else array for name, array in trees._asdict().items()})
    print(f"{_html_page.WEIGHTS.name}: {_html_page.WEIGHTS.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
