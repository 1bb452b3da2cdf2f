"""Learn the weights of `extract.html` again, and say by cross-validation how well they find the main content.

    python -m benchmarks.learn_extraction [--data ../shared/data/html] [--write] [--folds 5]

Needs lightgbm, and for the teachers trafilatura and readability-lxml, none of which the package itself needs. Pages
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
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.extraction import DATA, WORD, Example, examples, grams, readability, scores, squeezed, trafilatura
from benchmarks.machine import stamp
from dataengine.kernels import block_features, page_text
from dataengine.kernels.boosted_trees import Trees
from dataengine.stages.extract import _html_page
from dataengine.stages.extract.html import Config, utf8_content

COMMON = {
    "objective": "cross_entropy", "learning_rate": 0.05, "num_leaves": 24, "min_data_in_leaf": 40,
    "min_sum_hessian_in_leaf": 20.0, "feature_fraction": 0.3, "bagging_freq": 1, "lambda_l2": 5.0, "max_bin": 127,
    "num_threads": 1, "deterministic": True, "seed": 1, "verbose": -1,
}
KINDS: tuple[dict[str, Any], ...] = (
    {**COMMON, "bagging_fraction": 0.8}, {**COMMON, "bagging_fraction": 0.5, "extra_trees": True})
"""Two kinds of trees, whose log odds are averaged: one that splits where it is best, one that splits at random."""
FIRST_TREES, SECOND_TREES = (150, 220), (120, 160)
"""How many of each kind, in each round."""
STOPS, POSSIBLE = (25, 60), -1.5
"""After how many trees a block may be given up; log odds (18 %) of one that should not be."""
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


def fit(table: Table, rows: np.ndarray, trees: tuple[int, ...]) -> list[Any]:
    """A model of each kind."""
    import lightgbm

    return [lightgbm.train(kind, lightgbm.Dataset(table.features[rows], table.good[rows], weight=table.weight[rows]), n)
            for kind, n in zip(KINDS, trees, strict=True)]


def probability(models: list[Any], features: np.ndarray) -> np.ndarray:
    odds = np.mean([model.predict(features, raw_score=True) for model in models], axis=0)
    return (1 / (1 + np.exp(-odds))).astype(np.float32)


def log_odds_of(chances: np.ndarray) -> np.ndarray:
    safe = np.clip(chances, 1e-6, 1 - 1e-6)
    return np.log(safe / (1 - safe))


def unseen(table: Table, trees: tuple[int, ...]) -> np.ndarray:
    """What models say of the pages that they have not learnt from."""
    found = np.zeros(table.good.size, np.float32)
    for fold in np.unique(table.fold):
        rows = table.fold == fold
        found[rows] = probability(fit(table, ~rows, trees), table.features[rows])
    return found


def second_round(pages: list[Learnt], table: Table, chances: np.ndarray) -> None:
    """Fill in the columns of the second round."""
    start = 0
    for example in pages:
        stop = start + len(example.texts)
        if stop > start:
            context, _ = _html_page.features(example.page)
            block_features.opinions(example.page.tree, example.page.blocks, context, chances[start:stop],
                                    table.features[start:stop, block_features.FIRST:])
        start = stop


def as_trees(model: Any) -> Trees:
    """A LightGBM model as arrays."""
    roots, feature, threshold, left, right, value = [], [], [], [], [], []

    def add(node: dict[str, Any]) -> int:
        if "leaf_value" in node:
            value.append(node["leaf_value"])
            return ~(len(value) - 1)
        place = len(feature)
        cut = np.float32(node["threshold"])
        feature.append(node["split_feature"])
        threshold.append(np.nextafter(cut, np.float32(-np.inf)) if float(cut) > node["threshold"] else cut)
        left.append(0)
        right.append(0)
        left[place], right[place] = add(node["left_child"]), add(node["right_child"])
        return place

    for tree in model.dump_model()["tree_info"]:
        roots.append(add(tree["tree_structure"]))
    return Trees(np.array(roots, np.int32), np.array(feature, np.int16), np.array(threshold, np.float32),
                 np.array(left, np.int16), np.array(right, np.int16), np.array(value, np.float32))


def stops(model: Any, table: Table, kind: str) -> np.ndarray:
    """Where the first kind of trees may give a block up: (after so many trees, below this sum, with that result).

    Of the blocks that all trees together would not rule out, one in two thousand is lost at each place.
    """
    if kind != "best":
        return np.zeros((0, 3), np.float32)
    whole = model.predict(table.features, raw_score=True)
    found = []
    for trees in STOPS:
        part = model.predict(table.features, num_iteration=trees, raw_score=True)
        cut = np.quantile(part[whole > POSSIBLE], 0.0005)
        found.append((trees, cut, whole[part < cut].mean() if (part < cut).any() else cut))
    return np.array(found, np.float32)


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
    first = fit(table, everything, FIRST_TREES) if options.write else None
    chances = unseen(table, FIRST_TREES)
    print("first round, unseen sites ", scored(pages, chosen(pages, chances, 0.5)))
    second_round(pages, table, chances)
    second = unseen(table, SECOND_TREES)
    print("second round, unseen sites", scored(pages, chosen(pages, second, 0.5)))
    both = _html_page.probability((log_odds_of(chances) + log_odds_of(second)) / 2)
    for threshold in (0.45, _html_page.THRESHOLD, 0.55):
        print(f"mean of both, unseen sites, threshold {threshold}", scored(pages, chosen(pages, both, threshold)))
    if options.write:
        models = {"first": first, "second": fit(table, everything, SECOND_TREES)}
        np.savez_compressed(_html_page.WEIGHTS, **{
            f"{round}_{kind}_{name}": array for round, kinds in models.items()
            for kind, model in zip(("best", "random"), kinds, strict=True)
            for name, array in {**as_trees(model)._asdict(), "stops": stops(model, table, kind)}.items()})
        print(f"{_html_page.WEIGHTS.name}: {_html_page.WEIGHTS.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
