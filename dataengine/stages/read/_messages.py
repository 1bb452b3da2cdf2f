"""Conversations as datasets hold them -> turns of `role` and `content`."""

from __future__ import annotations

from typing import Any

ROLES = {"human": "user", "gpt": "assistant", "chatgpt": "assistant", "bing": "assistant", "bard": "assistant"}
"""Roles of the ShareGPT kind -> those of everybody else, which stay as they are."""

Turn = dict[str, str]


class BadMessages(Exception):
    """Why a value is no conversation of text, in a sentence."""


def conversation(value: Any) -> list[Turn]:
    """The turns of ``[{"role": ..., "content": ...}]`` or ``[{"from": ..., "value": ...}]``, at least one.

    Content may be a list of parts, ``{"type": "text", "text": ...}``, which are joined; an image or sound among them
    is no text. Raises BadMessages.
    """
    if not isinstance(value, list) or not value:
        found = "no turns" if value in (None, []) else f"found {type(value).__name__}, expected a list of turns"
        raise BadMessages(found)
    return [_turn(turn, number) for number, turn in enumerate(value, 1)]


def _turn(turn: Any, number: int) -> Turn:
    if not isinstance(turn, dict):
        raise BadMessages(f"turn {number} is {type(turn).__name__}, expected role and content")
    role, content = turn.get("role") or turn.get("from"), turn.get("content", turn.get("value"))
    if content is None:
        content = turn.get("value")
    if not isinstance(role, str):
        raise BadMessages(f"turn {number} has no role")
    if isinstance(content, list):
        content = "".join(_part(part, number) for part in content)
    if not isinstance(content, str):
        raise BadMessages(f"turn {number} has no text")
    return {"role": ROLES.get(role.lower(), role), "content": content}


def _part(part: Any, number: int) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, dict) and part.get("type", "text") == "text" and isinstance(part.get("text"), str):
        return part["text"]
    kind = part.get("type") if isinstance(part, dict) else type(part).__name__
    raise BadMessages(f"turn {number} holds {str(kind)[:40]}, which is no text")
