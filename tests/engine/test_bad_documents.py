"""Documents made to stall, bloat or crash a stage: they end in time or in quarantine, and their neighbours as alone."""

from __future__ import annotations

import gzip
import json
import textwrap
from pathlib import Path
from typing import Any

import pytest

from dataengine import stage
from dataengine.stages.filter.language import LANGUAGES
from tests.engine.bad_files import STRANGE
from tests.engine.calling import call
from tests.engine.projects import dataengine, documents, write_jsonl
from tests.static_model import static_model

NAUGHTY = Path(__file__).parents[2].parent / "shared" / "data" / "adversarial" / "naughty_strings.jsonl.gz"

TEXTS = {
    "ten megabytes without a space": "".join(chr(97 + (n * n + n // 7) % 26) for n in range(1_000_000)) * 10,
    "a megabyte of one character": "a" * 1_000_000,
    "only newlines": "\n" * 1_000_000,
    "only blanks": " " * 1_000_000,
    "only NUL": "\0" * 1_000_000,
    "one word a line": "word\n" * 500_000,
    "each line another": "\n".join(f"line {n}" for n in range(100_000)),
    "each word another": " ".join(map(str, range(200_000))),
    "two words a million times": "word other " * 500_000,
    "Chinese without a space": "汉字測試文本这是没有空格的中文" * 30_000,
    "Thai without a space": "ภาษาไทยไม่มีช่องว่างระหว่างคำ" * 20_000,
    "right to left": "שלום עולם \u202eاللغة العربية\u202c " * 30_000,
    "combining marks": "Z" + "\u0351\u0343\u032a" * 100_000,
    "only punctuation": "!?.,;:-#…" * 100_000,
    "joined emoji": "👩‍👩‍👧🇳🇴 " * 50_000,
    "zero width": "\u200b\ufeff\u2060" * 100_000,
    "replacement characters": "\ufffd" * 300_000,
    "paragraphs of a letter": "a\n\n" * 300_000,
    "a code block that never ends": '"""' * 200_000 + "(" * 200_000,
}

HEAD = """
name = "hostile"
[run]
split_bytes = "100kB"
record_deadline = 10.0
max_quarantined = 1.0

[[data.good]]
stage = "read.jsonl"
paths = "good.jsonl"
[[data.hostile]]
stage = "read.jsonl"
paths = "hostile*.jsonl"
split_bytes = "1GiB"
[[data.all]]
from = ["hostile", "good"]
stage = "filter.where"
where = "length(text) >= 0 and not regexp_matches(text, '(x+x+)+y')"

[classifier.fine]
positive = "good"
negative = "hostile"
epochs = 1
dimension = 8
buckets = 1000
"""

SETTINGS = {
    "dedup.exact": 'of = "normalized"',
    "dedup.semantic": 'model = "model.safetensors"',
    "filter.contaminated": 'benchmarks = "questions.txt"\nself_test = 0.5',
    "filter.language": f"keep = {json.dumps(sorted(LANGUAGES))}\nmin_confidence = 0.0",
    "filter.url": 'words = ["casino"]\npatterns = ["(x+x+)+y"]',
    "filter.where": "where = \"text LIKE '%%%a%%%'\"",
    "score.fasttext": 'classifier = "fine"',
    "scrub.pii": "keep_originals = true",
}
BEHIND = {"filter.refinedweb": "scrub.lines"}
"""A stage that reads what another one measures."""
QUESTION = "How many of the words in this document were written by somebody who wished its reader well?"


def tried() -> list[str]:
    """Every stage there is that looks at text."""
    return sorted(name for name in stage.builtin_names()
                  if name.partition(".")[0] not in ("read", "make") and name != "extract.html")


def lane(name: str) -> str:
    """A lane with this stage alone, or behind the one it needs."""
    head, before = f"data.{name.replace('.', '_')}", BEHIND.get(name)
    first = f'[[{head}]]\nfrom = ["all"]\nstage = "{before or name}"\n'
    return first + (f'[[{head}]]\nstage = "{name}"\n' if before else "") + SETTINGS.get(name, "")


def naughty() -> list[str]:
    """The strings of the list, or our own, each repeated to 200 words."""
    lines = gzip.decompress(NAUGHTY.read_bytes()).splitlines() if NAUGHTY.exists() else []
    ours = [f"{text} {copy}" for copy in range(20) for text in STRANGE]
    strings = [json.loads(line)["text"] for line in lines] or ours
    return [" ".join([text] * -(-200 // max(1, len(text.split())))) for text in strings]


def run(folder: Path, hostile: bool) -> dict[str, list[dict[str, Any]]]:
    """View -> rows, after a run over the good documents and, if asked, the hostile ones."""
    folder.mkdir()
    (folder / "recipe.toml").write_text("\n".join([HEAD, *map(lane, tried())]), encoding="utf-8")
    (folder / "questions.txt").write_text(QUESTION, encoding="utf-8")
    static_model(folder)
    write_jsonl(folder / "good.jsonl", documents(200))
    write_jsonl(folder / "hostile_strings.jsonl", [{"text": text} for text in naughty()])
    if hostile:
        for number, text in enumerate(TEXTS.values()):
            write_jsonl(folder / f"hostile{number}.jsonl", [{"text": text}])
    done = dataengine("run", "recipe.toml", "--quiet", "--workers", "2", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    good = "SELECT * EXCLUDE (text) FROM docs WHERE source = 'good'"
    return {view: json.loads(call("sql", "runs/hostile", query, "--json", cwd=folder).stdout) for view, query in (
        ("docs", f"{good} AND lane != 'score_fasttext' ORDER BY lane, id"),
        ("dropped", "SELECT * EXCLUDE (text) FROM dropped WHERE source = 'good' ORDER BY lane, id"),
        ("quarantined", "SELECT lane, step, origin, reason FROM quarantined"),
        ("steps", "SELECT * FROM steps"),
    )}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    return run(tmp_path_factory.mktemp("alone") / "project", hostile=False)


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    return run(tmp_path_factory.mktemp("beside") / "project", hostile=True)


def test_hostile_texts_pass_every_stage_in_linear_time(beside: dict[str, list[dict[str, Any]]]) -> None:
    lost = {(row["lane"], row["reason"]) for row in beside["quarantined"]}
    lane = "extract_docstrings"
    assert lost == {(lane, "not_python"), (lane, "too_large")}  # no timeout, no crash, no error
    for step in beside["steps"]:
        out = step["rows_kept"] + step["rows_dropped"] + step["rows_quarantined"]
        assert step["rows_in"] + step["rows_created"] == out
        assert step["seconds"] < 30  # of 40 MB: a stage that is quadratic in any of them takes minutes
    read = next(step for step in beside["steps"] if step["step"] == "hostile.0")
    assert read["rows_kept"] == len(TEXTS) + len(naughty())


def test_neighbours_of_hostile_texts_are_as_they_are_alone(
    alone: dict[str, list[dict[str, Any]]], beside: dict[str, list[dict[str, Any]]]
) -> None:
    assert alone["docs"] and alone["dropped"]
    assert beside["docs"] == alone["docs"]
    assert beside["dropped"] == alone["dropped"]


# --- pages ------------------------------------------------------------------------------------------------------------

PAGES = {
    "deep": ("<div>" * 300_000 + "deep text" + "</div>" * 300_000, "deep text"),
    "table": ("<table>" + "<tr><td>cell one</td><td>cell two</td></tr>" * 60_000 + "</table>", "cell one"),
    "attributes": ("<p " + " ".join(f"a{n}=b" for n in range(1_000_000)) + ">many names</p>", "many names"),
    "script": ("<script>" + 'var x = "<p>"; ' * 3_400_000 + "</script><p>after it</p>", None),
    "options": ("<select>" + "<option>o" * 100_000 + "</select><p>chosen</p>", "o"),
    "bold": ("<b><p>x" * 50_000, "x"),
    "astray": ("<table><b>y" * 30_000, "y"),
    "comment": ("<p>seen</p>" + "<!-- " * 300_000, "seen"),
    "less": ("<" * 1_000_000, "<"),
    "nul": ("\0" * 500_000 + "<p>behind</p>", "behind"),
    "svg": ("<svg>" * 50_000 + "drawn", "drawn"),
    "bodies": ("".join(f"<body a{n}=1>" for n in range(100_000)) + "said", "said"),
    "roots": ("".join(f"<html a{n}=1>" for n in range(100_000)) + "said", "said"),
}
"""Name -> a page, and text that must be found in it; None where it is longer than the stage takes."""

PAGE_RECIPE = """
name = "pages"
[run]
split_bytes = "10kB"
record_deadline = {deadline}
max_quarantined = 1.0
[[data.pages]]
stage = "read.html"
paths = "in"
max_record_bytes = "100MiB"
[[data.pages]]
stage = "extract.html"
main_content = false
"""


def extract(folder: Path, pages: dict[str, str], deadline: float) -> tuple[dict[str, str], dict[str, str]]:
    """(page -> text, page -> reason of its quarantine), for these pages and two good ones around them."""
    (folder / "in").mkdir()
    (folder / "recipe.toml").write_text(PAGE_RECIPE.replace("{deadline}", str(deadline)))
    for name, page in {"0": "<p>before all</p>", **pages, "zz": "<p>after all</p>"}.items():
        (folder / "in" / f"{name}.html").write_bytes(page.encode())
    done = dataengine("run", "recipe.toml", "--quiet", "--workers", "2", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    ask = "SELECT split_part(split_part(origin, '/', 2), '.', 1) AS page, {} AS said FROM {}"
    kept, lost = (
        {row["page"]: row["said"] for row in json.loads(
            call("sql", "runs/pages", ask.format(*what), "--json", cwd=folder).stdout)}
        for what in (("substr(text, 1, 20)", "docs"), ("reason", "quarantined")))
    assert (kept.pop("0"), kept.pop("zz")) == ("before all", "after all")
    assert kept.keys() | lost.keys() == pages.keys() and not kept.keys() & lost.keys()
    return kept, lost


def test_hostile_pages_give_their_text_and_leave_their_neighbours_alone(tmp_path: Path) -> None:
    kept, lost = extract(tmp_path, {name: page for name, (page, _) in PAGES.items()}, deadline=20)
    assert lost == {"script": "too_large"}
    assert {name: words for name, (_, words) in PAGES.items() if words and words not in kept[name]} == {}


@pytest.mark.slow
def test_a_tokenizer_can_be_learnt_from_hostile_texts_and_none_of_them_is_lost(tmp_path: Path) -> None:
    recipe = """
        name = "tokens"
        [[data.all]]
        stage = "read.jsonl"
        paths = "*.jsonl"
        [tokenizer]
        learn_from = "all"
        vocabulary = 1000
        [mix.all]
        from = "all"
        tokens = "5k"
    """
    (tmp_path / "recipe.toml").write_text(textwrap.dedent(recipe))
    write_jsonl(tmp_path / "good.jsonl", documents(200))
    for number, text in enumerate([*TEXTS.values(), *naughty()]):
        write_jsonl(tmp_path / f"hostile{number}.jsonl", [{"text": text}])
    done = dataengine("run", "recipe.toml", "--quiet", "--workers", "2", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    answer = call("sql", "runs/tokens", "SELECT sum(documents) AS n FROM tokens", "--json", cwd=tmp_path)
    assert json.loads(answer.stdout)[0]["n"] == 200 + len(TEXTS) + len(naughty())
