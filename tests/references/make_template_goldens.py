"""Write template_goldens.json: what transformers makes of the conversations beside it.

Needs transformers, the real Qwen3 tokenizer and the published templates:

    python -m tests.references.make_template_goldens TOKENIZER_DIR TEMPLATES_DIR

TOKENIZER_DIR holds `tokenizer.json` and `tokenizer_config.json` of a hybrid Qwen3 model.
TEMPLATES_DIR holds the templates of the other branches, as `thinking.jinja` (Thinking-2507),
`instruct.jinja` (Instruct-2507) and `instruct_mlx.jinja` (the same from mlx-community).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from tests.references.template_conversations import CONTROL, CONVERSATIONS, THOUGHTS, TOOLS, TURNS

GOLDENS = Path(__file__).with_name("template_goldens.json")
BRANCHES = ("thinking", "instruct", "instruct_mlx")
MODES: tuple[dict[str, bool], ...] = ({}, {"enable_thinking": True}, {"enable_thinking": False})
MAX_IDS = 160


def cases() -> Iterator[dict[str, Any]]:
    """Every conversation in one mode at least, in all modes where they matter, and both with
    and without the opening of a reply."""
    modes, openings = cycle(MODES), cycle((True, True, False))
    for name in CONVERSATIONS:
        wanted = MODES if name in TURNS | THOUGHTS else (next(modes),)
        for mode in wanted:
            yield {"name": name, "branch": "hybrid", "open": next(openings), **mode}
    for branch in BRANCHES:
        for name in THOUGHTS | TOOLS | CONTROL:
            yield {"name": name, "branch": branch, "open": next(openings), **next(modes)}


def render(tokenizer: Any, templates: dict[str, str], case: dict[str, Any], tokenize: bool) -> Any:
    talk = CONVERSATIONS[case["name"]]
    mode = {"enable_thinking": case["enable_thinking"]} if "enable_thinking" in case else {}
    return tokenizer.apply_chat_template(
        talk["messages"],
        tools=talk["tools"],
        chat_template=templates[case["branch"]],
        add_generation_prompt=case["open"],
        tokenize=tokenize,
        return_dict=False,
        **mode,
    )


def golden(tokenizer: Any, templates: dict[str, str], case: dict[str, Any]) -> dict[str, Any]:
    kept = {**case, "text": render(tokenizer, templates, case, tokenize=False)}
    if case["branch"] == "hybrid" and case["name"] not in CONTROL:
        ids = render(tokenizer, templates, case, tokenize=True)
        kept |= {"ids": ids} if len(ids) <= MAX_IDS else {}
    return kept


def main(tokenizer_directory: Path, templates_directory: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_directory)
    templates = {
        branch: (templates_directory / f"{branch}.jinja").read_text() for branch in BRANCHES
    }
    templates["hybrid"] = tokenizer.chat_template
    goldens = [golden(tokenizer, templates, case) for case in cases()]
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in goldens)
    talks = ",\n".join(
        f"{json.dumps(name)}: {json.dumps(talk, ensure_ascii=False)}"
        for name, talk in CONVERSATIONS.items()
    )
    GOLDENS.write_text(f'{{"conversations": {{\n{talks}\n}},\n"cases": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
