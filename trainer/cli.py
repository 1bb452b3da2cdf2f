"""``trainer``: train a model on what a recipe made, continue a prompt with it, measure it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from dataengine.errors import DataEngineError


class Group(click.Group):
    """Says our errors in words and leaves with their code."""

    def invoke(self, context: click.Context) -> object:
        try:
            return super().invoke(context)
        except DataEngineError as error:
            click.echo(str(error), err=True)
            sys.exit(error.exit_code)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Train a model on token shards and a mixture, and use it."""


@main.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the run; goes on where it left.")
def train(config: Path, out: Path) -> None:
    """Train as CONFIG (a JSON file) says. Started again, a run goes on; a finished one is left alone."""
    from trainer.train import Interrupted
    from trainer.train import train as run

    try:
        result = run(config, out)
    except Interrupted:
        sys.exit(130)
    for source, after in result["heldout_after"].items():
        click.echo(f"{source}: {result['heldout_before'][source]:.3f} -> {after:.3f} bits per byte", err=True)
    click.echo(out / "final")


@main.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--prompt", multiple=True, required=True, help="Text to go on from; may be given several times.")
@click.option("--tokens", default=128, show_default=True, type=click.IntRange(min=1), help="Most tokens to add.")
@click.option("--temperature", default=0.7, show_default=True, type=click.FloatRange(min=0),
              help="0 takes the likeliest token.")
@click.option("--top-p", default=1.0, show_default=True, type=click.FloatRange(min=0, max=1, min_open=True),
              help="Draw from the likeliest tokens that make up this share.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of prompt and text.")
def generate(checkpoint: Path, prompt: tuple[str, ...], tokens: int, temperature: float, top_p: float, seed: int,
             as_json: bool) -> None:
    """Continue prompts with the model in the folder CHECKPOINT; a model of conversations answers them."""
    from trainer import checkpoint as checkpoints
    from trainer.generate import generate as run
    from trainer.generate import prompt_ids

    model, tokenizer, training = checkpoints.read_model(checkpoint)
    chat = training.get("kind") == "messages"
    made = run(model.eval(), [prompt_ids(tokenizer, text, chat=chat) for text in prompt], tokens=tokens,
               temperature=temperature, top_p=top_p, seed=seed, stop=tokenizer.stops)
    texts = [tokenizer.decode(ids) for ids in made]
    if as_json:
        rows = [{"prompt": given, "text": text} for given, text in zip(prompt, texts, strict=True)]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for given, text in zip(prompt, texts, strict=True):
        click.echo(text if chat else given + text)


@main.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--mixture", "mixture_path", type=click.Path(path_type=Path), required=True, help="A mixture.json.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def evaluate(checkpoint: Path, mixture_path: Path, as_json: bool) -> None:
    """Bits per byte of the model in the folder CHECKPOINT on a mixture's held-out documents, by source."""
    from dataengine import mixture
    from dataengine.errors import InputError
    from dataengine.tokens import MODEL_FILE, Tokenizer
    from trainer import checkpoint as checkpoints
    from trainer.evaluate import evaluate as run

    data = mixture.load(mixture_path)
    model, tokenizer, training = checkpoints.read_model(checkpoint)
    if Tokenizer.load(mixture_path.parent / data["tokenizer"]).model != tokenizer.model:
        raise InputError("the mixture's tokens were made with another tokenizer", where=str(mixture_path),
                         expected=f"tokens made with {checkpoint / MODEL_FILE}")
    length = training.get("sequence_length", model.shape.context)
    scores = run(model.eval(), tokenizer, data, mixture_path.parent, length)
    if as_json:
        rows = {name: {"bits_per_byte": score.bits_per_byte, "bytes": score.bytes, "tokens": score.tokens,
                       "documents": score.documents} for name, score in scores.items()}
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for name, score in scores.items():
        click.echo(f"{name}: {score.bits_per_byte:.4f} bits per byte over {score.bytes:,} bytes")


if __name__ == "__main__":
    main()
