"""Learn the weights of `extract.html` again, and say by cross-validation how well they find the main content.

    python -m benchmarks.learn_extraction [--data ../shared/data/html] [--write] [--folds 5]

Needs catboost, and for the teachers trafilatura and readability-lxml, none of which the package itself needs. Pages
come from the development half of three public sets:

- article-extraction-benchmark (scrapinghub, MIT) and readability's test pages (mozilla, Apache-2.0) give the whole text
  of the main content. It is aligned with the blocks of the page, word 4-gram by word 4-gram; a block is as good as the
  share of its words that are found.
- trafilatura's evaluation pages (adbar, Apache-2.0) give a few segments that belong to the content and a few that do
  not. Blocks that hold one are labelled by it. Of the others, trafilatura and readability say what they would keep;
  where the two do not agree a block counts for little.

Every page weighs the same, and in it every word. Folds are made of sites, so that no model is judged on a site it has
seen, and the second round learns from what the first says of pages that it has not seen.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import json
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.extraction import DATA, WORD, Example, examples, grams, readability, scores, squeezed, trafilatura
from benchmarks.machine import stamp
from dataengine.kernels import block_features, page_text
from dataengine.kernels.boosted_trees import DEPTH, Trees, log_odds
from dataengine.stages.extract import _html_page
from dataengine.stages.extract.html import Config, utf8_content

PARAMETERS = {
    "loss_function": "CrossEntropy", "depth": DEPTH, "learning_rate": 0.1, "l2_leaf_reg": 5, "rsm": 0.2,
    "border_count": 64, "bootstrap_type": "Bernoulli", "subsample": 0.7, "score_function": "Cosine",
    "leaf_estimation_iterations": 1, "boost_from_average": False, "boosting_type": "Plain", "thread_count": 1,
    "random_seed": 1, "verbose": False, "allow_writing_files": False,
}
FIRST_TREES, SECOND_TREES = 600, 400
"""How many in each round."""
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
    def site(self) -> str:
        """The host the page is from, or the page itself where none is known."""
        address = re.sub(r"^(hard::|https?://)+", "", self.of.url)
        host = address.split("/")[0] if "/" in address else address.split("-")[0]
        return host.removeprefix("www.").lower()


def load(folder: Path) -> list[Learnt]:
    """All pages of the sets, parsed."""
    found = []
    for example in examples(folder):
        content, _ = utf8_content(example.html, None, Config())
        page = _html_page.read(content)
        texts = [_html_page.text(page, only(page, block), 0) for block in range(page.blocks.first.size)]
        found.append(Learnt(example, page, texts))
    return found


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
        example.weight = np.minimum(share / total * 200, 40) * (words > 0)
        return
    first, second = (aligned_by_grams(example.texts, text) > 0.5 for text in teachers)
    example.good = np.where(first, 0.65, 0.0) + np.where(second, 0.35, 0.0)
    total = max(float((words * first).sum()), 50)
    example.weight = np.minimum(share / total * 70, 15) * (words > 0)
    for value, segments in ((1.0, example.of.inside), (0.0, example.of.outside)):
        for block, text in enumerate(map(squeezed, example.texts)):
            if any((segment and segment in text) or (len(text) >= 20 and text in segment) for segment in segments):
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

def scored(pages: list[Learnt], kept: list[np.ndarray]) -> dict[str, float]:
    """Scores of the blocks that are kept of each page, as text."""
    return scores([page.of for page in pages],
                  [_html_page.text(page.page, keep, STYLE) for page, keep in zip(pages, kept, strict=True)])


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


def fit(table: Table, rows: np.ndarray, trees: int) -> Any:
    """A model that has learnt from some of the blocks."""
    from catboost import CatBoost, Pool

    pool = Pool(table.features[rows], table.good[rows], weight=table.weight[rows] / table.weight.mean())
    return CatBoost({**PARAMETERS, "iterations": trees}).fit(pool)


def unseen(table: Table, trees: int) -> np.ndarray:
    """What models say of the pages that they have not learnt from: log odds."""
    found = np.zeros(table.good.size, np.float32)
    for fold in np.unique(table.fold):
        rows = table.fold == fold
        found[rows] = log_odds(table.features[rows], as_trees(fit(table, ~rows, trees)))
    return found


def second_round(pages: list[Learnt], table: Table, chances: np.ndarray) -> None:
    """Fill in the columns of the second round."""
    start = 0
    for example in pages:
        stop = start + len(example.texts)
        if stop > start:
            context, _ = _html_page.features(example.page)
            block_features.opinions(example.page.tree, example.page.blocks, context, chances[start:stop],
                                    table.features[start:stop])
        start = stop


def as_trees(model: Any) -> Trees:
    """A CatBoost model as arrays."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_model(f"{folder}/model.json", format="json")
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
    columns, places = np.unique(feature, return_inverse=True)
    return Trees(columns.astype(np.int16), places.reshape(feature.shape).astype(np.int16), threshold, value)


def checked(model: Any, features: np.ndarray) -> Trees:
    """A CatBoost model as arrays, of which the kernel says what CatBoost says of the model."""
    trees = as_trees(model)
    expected, found = model.predict(features, prediction_type="RawFormulaVal"), log_odds(features, trees)
    worst = float(np.abs(expected - found).max())
    if worst > 1e-3:
        raise ValueError(f"the kernel differs from CatBoost by up to {worst}")
    return trees


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="learn from all pages and replace the package's weights")
    options = parser.parse_args()
    if not options.data.is_dir():
        parser.error(f"{options.data} is not there: name the folder of the sets with --data")
    print(f"{stamp()}, one thread")
    pages = load(options.data)
    teachers = trafilatura(), readability()
    for page in pages:
        label(page, tuple(teach(page.of.html) for teach in teachers) if page.of.set == "trafilatura" else ())
    folds = [np.full(len(page.texts), int(hashlib.md5(f"{page.site}s".encode()).hexdigest(), 16) % options.folds)
             for page in pages]
    table = Table(
        np.concatenate([_html_page.features(page.page)[1] for page in pages if page.texts]),
        np.concatenate([page.good for page in pages]).astype(np.float32),
        np.concatenate([page.weight for page in pages]).astype(np.float32), np.concatenate(folds))
    print(f"{len(pages)} pages, {table.good.size} blocks, {table.features.shape[1]} features")
    everything = np.ones(table.good.size, bool)
    models = {}
    if options.write:
        models["first"] = checked(fit(table, everything, FIRST_TREES), table.features)
    first = unseen(table, FIRST_TREES)
    chances = _html_page.probability(first)
    print("first round, unseen sites ", scored(pages, chosen(pages, chances, 0.5)))
    second_round(pages, table, chances)
    second = unseen(table, SECOND_TREES)
    print("second round, unseen sites", scored(pages, chosen(pages, _html_page.probability(second), 0.5)))
    both = _html_page.probability((first + second) / 2)
    for threshold in (0.5, _html_page.THRESHOLD, 0.6):
        print(f"mean of both, unseen sites, threshold {threshold}", scored(pages, chosen(pages, both, threshold)))
    if options.write:
        models["second"] = checked(fit(table, everything, SECOND_TREES), table.features)
        write(models)


def write(models: dict[str, Trees]) -> None:
    """Replace the package's weights. Leaves are rounded to half precision, which moves log odds by less than .01."""
    np.savez_compressed(_html_page.WEIGHTS, **{
        f"{number}_{name}": array.astype(np.float16) if name == "value" else array
        for number, trees in models.items() for name, array in trees._asdict().items()})
    print(f"{_html_page.WEIGHTS.name}: {_html_page.WEIGHTS.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
