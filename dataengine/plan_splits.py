"""The part of a plan that cuts what a reader finds into splits, each worth a task."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dataengine import remote
from dataengine.errors import CredentialsShown, InputError
from dataengine.planned import Share
from dataengine.recipe import Block
from dataengine.stage import Piece, StageConfig

if TYPE_CHECKING:
    from dataengine.plan import _Planner

PIECES_PER_SPLIT = 4096
PACKED, PACKED_ENDINGS = 4, (".gz", ".bz2", ".xz", ".zst", ".lz4", ".zip")
"""A packed file is about so many times its size once it is read: splits are to be of one size in what they hold."""


def shares(planner: _Planner, block: Block) -> tuple[Share, ...]:
    """A share for each split of a reader."""
    return tuple(
        Share((), [_identity(piece) for piece in split], {"split": [dict(vars(piece)) for piece in split]}, block.lane)
        for split in _splits(planner, block)
    )


def cheap_again(block: Block, shares: tuple[Share, ...]) -> bool:
    """Whether the block is a reader of pieces all of which are read again at less cost than their rows are stored."""
    if block.stage.kind != "read":
        return False
    return all(block.stage.again(Piece(**piece), block.config) for share in shares for piece in share.body["split"])


def _splits(planner: _Planner, block: Block) -> list[list[Piece]]:
    """The reader's pieces, small ones grouped until a split is worth a task."""
    if block.stage.pieces is None:
        return []
    splits: list[list[Piece]] = []
    weight, limit, config = 0, planner.recipe.run.split_bytes, block.config
    if "split_bytes" in type(config).model_fields and "split_bytes" not in config.model_fields_set:
        config = config.model_copy(update={"split_bytes": limit})
    for piece in _pieces(planner, block, config):
        size = piece.weight * (PACKED if piece.path.lower().endswith(PACKED_ENDINGS) else 1)
        if not splits or weight + size > limit or len(splits[-1]) >= PIECES_PER_SPLIT:
            splits.append([])
            weight = 0
        splits[-1].append(piece)
        weight += size
    return splits


def _pieces(planner: _Planner, block: Block, config: StageConfig) -> Iterator[Piece]:
    """What the reader finds; files that are not there are a problem at their line."""
    assert block.stage.pieces is not None, "a reader has pieces"
    try:
        with remote.using(planner.recipe.network):
            yield from block.stage.pieces(config, planner.recipe.base)
    except InputError as error:
        named = next((name for name in ("paths", "folder") if name in type(config).model_fields), "stage")
        planner.problem(
            f"data.{block.lane}[{block.index}].{named}",
            f"{error.where}: {error.found}".removeprefix(": "),
            error.expected,
            error.write,
            show_line=not isinstance(error, CredentialsShown),
        )


def _identity(piece: Piece) -> list[Any]:
    """What of a piece decides its rows; not where on this machine it lies."""
    return [piece.origin, piece.start, piece.end, piece.stamp]
