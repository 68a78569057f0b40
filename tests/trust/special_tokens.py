"""The attack on what structures a prompt: text that spells control tokens, in every place.

Knows what must hold: a place's text comes back unchanged (up to the NFC that Qwen3's tokenizer
applies), and the control ids are those that the same conversation has when it says nothing of the
kind. Does not know how formats write conversations.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from unicodedata import normalize

from qwen3_mlx.text.parser import ReplyParser
from qwen3_mlx.text.pieces import Text
from qwen3_mlx.text.template import Block
from tests.trust.conversations import BATCH, MARKS, Model, models
from tests.trust.forgeries import NAMES, bare, forms, mixed
from tests.trust.tally import Tally, main


def attempts(count: int, seed: int) -> list[list[str]]:
    """The texts of each trial: bare words in all places, then every form, cut names, and mixes."""
    words = dict.fromkeys(word for name in NAMES for word in bare(name))
    whole = [[form] * len(MARKS) for form in (*words, *(f for name in NAMES for f in forms(name)))]
    cut = [
        [(name[:at], name[at:])[place % 2] for place in range(len(MARKS))]
        for name in NAMES
        for at in range(1, len(name))
    ]
    chances = [random.Random(f"{seed} {number}") for number in range(len(whole) + len(cut), count)]
    random_ones = [[mixed(chance) or "x" for _ in MARKS] for chance in chances]
    every = whole + cut + random_ones
    step = max(1, len(every) // count)
    return every[::step][:count]


def placed(model: Model, text: str, texts: Sequence[str]) -> str:
    """The harmless prompt with other texts in its places, as they are written there."""
    for mark, said in zip(MARKS, texts, strict=True):
        encodable = said.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        in_json = json.dumps(encodable, ensure_ascii=False)[1:-1]
        text = text.replace(mark, in_json if mark in model.in_json else encodable)
    return normalize("NFC", text)


def try_prompt(model: Model, texts: Sequence[str]) -> str:
    """What became of the texts of one trial; `unchanged` is what should."""
    harmless, said = model.harmless(texts)
    controls, read = model.read(texts)
    if controls != harmless:
        return "a control id out of text"
    return "unchanged" if normalize("NFC", read) == placed(model, said, texts) else "another text"


def try_pieces(model: Model, text: str) -> str:
    """What becomes of a text that comes in two pieces, cut anywhere."""
    whole = [*model.tokenizer.encode(text)]
    if any(map(model.tokenizer.is_control, whole)):
        return "a control id out of text"
    cuts = ((Text(text[:at]), Text(text[at:])) for at in range(len(text)))
    same = all(model.tokenizer.encode_pieces(cut) == whole for cut in cuts)
    return "unchanged" if same else "another text"


def try_reply(model: Model, text: str) -> str:
    """What becomes of a reply in which ordinary tokens spell the text."""
    ids = model.tokenizer.encode(text)
    said = model.tokenizer.decode(ids).lstrip("\n")
    blocks: tuple[Block, ...] = ("absent", "open")
    for block in blocks:
        parser = ReplyParser(model.tokenizer, block)
        shown = "".join(delta.text for token in ids for delta in parser.push(token))
        shown += "".join(delta.text for delta in parser.flush())
        other = parser.answer if block == "open" else parser.thinking
        if other or parser.tool_calls or shown.rstrip("\n") != said.rstrip("\n"):
            return "structure out of text"
    return "unchanged"


def attack(count: int, seed: int) -> Tally:
    """Every model with as many trials."""
    tally = Tally()
    with TemporaryDirectory() as folder:
        for model in models(Path(folder)):
            tally.add(against(model, attempts(count, seed)))
    return tally


def against(model: Model, trials: Sequence[Sequence[str]]) -> Tally:
    """What became of some trials with one model."""
    tally = Tally()
    for number, texts in enumerate(_together(model, trials)):
        tries = {"in a prompt": try_prompt(model, texts)}
        if model.alone:
            tries["in two pieces"] = try_pieces(model, texts[0])
            tries["in a reply"] = try_reply(model, texts[0])
        for place, outcome in tries.items():
            said = f"{model.name}, {place}: {outcome}"
            if outcome == "unchanged":
                tally.held(said)
            else:
                tally.fell(said, f"trial {number}: {texts!r:.400}")
    return tally


def _together(model: Model, trials: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
    """The trials; fewer where each takes a process, with several texts a place if there can be."""
    if not model.template.is_sandboxed:
        return trials
    if model.together == 1:
        return trials[: max(1, len(trials) // BATCH)]
    groups = (trials[start : start + BATCH] for start in range(0, len(trials), BATCH))
    return [[" ".join(texts) for texts in zip(*group, strict=True)] for group in groups]


if __name__ == "__main__":
    main(attack, 20_000)
