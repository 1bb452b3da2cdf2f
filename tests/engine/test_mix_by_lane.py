"""A mixture by lanes: parts of one lane, such as what many copied, weigh what the recipe says of each part."""

from __future__ import annotations

from pathlib import Path

from dataengine import plan as plans
from dataengine import recipe as recipes
from dataengine import run as runner
from dataengine.mixture import build, load
from tests.engine.projects import documents, write_jsonl

RECIPE = """
name = "parts"
[[data.web]]
stage = "read.jsonl"
paths = "a.jsonl"
[[data.web]]
stage = "dedup.exact"
count = "copies"
[[data.often]]
from = "web"
stage = "filter.where"
where = "copies >= 2"
[[data.once]]
from = "web"
stage = "filter.where"
where = "copies = 1"
[tokenizer]
learn_from = "web"
vocabulary = 300
[mix.broad]
from = ["often", "once"]
by = "lane"
weights = { often = 0.6, once = 0.4 }
max_epochs = { often = 100 }
heldout = 0.0
tokens = "8k"
"""


def test_what_was_copied_often_is_drawn_as_often_as_its_lane_weighs(tmp_path: Path) -> None:
    texts = [row["text"] for row in documents(300)]
    write_jsonl(tmp_path / "a.jsonl", [{"text": text} for text in texts + texts[:30]])
    (tmp_path / "r.toml").write_text(RECIPE)
    plan = plans.make(recipes.load(tmp_path / "r.toml"), tmp_path / "run")
    runner.run(plan, workers=1)
    (path,) = (tmp_path / "run").rglob("mixture.json")
    data = load(path)
    said = {source["name"]: source for source in data["sources"]}
    tokens = {name: sum(shard["train_tokens"] for shard in source["shards"]) for name, source in said.items()}
    assert said["often"]["weight"] == 0.6 and 0 < tokens["often"] < tokens["once"]
    mixture = build(data, 32)
    drawn = [mixture.names[mixture.draw(n).source] for n in range(len(mixture))]
    assert len(drawn) == 8000 // 32 and abs(drawn.count("often") / len(drawn) - 0.6) < 0.01
