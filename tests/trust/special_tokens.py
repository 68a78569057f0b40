"""The attack on what structures a prompt: text that spells control tokens, in every place.

Knows the places of a conversation that hold text. A place's text must come back unchanged (up to
the NFC that Qwen3's tokenizer applies), and the control ids must be those that the same
conversation has when it says nothing of the kind.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from pathlib import Path
from tempfile import TemporaryDirectory
from unicodedata import normalize

from qwen3_mlx.bundled import bundled_path
from qwen3_mlx.text.parser import ReplyParser
from qwen3_mlx.text.pieces import Message, Text
from qwen3_mlx.text.qwen3_format import is_tool_result
from qwen3_mlx.text.template import Block, ChatTemplate, load_template
from qwen3_mlx.text.tokenizer import Tokenizer, load_tokenizer
from tests import real_tokenizer
from tests.trust.forgeries import NAMES, forms, mixed
from tests.trust.tally import Tally, main

MARKS = ("Slot0", "Slot1", "Slot2", "Slot3", "Slot4", "Slot5", "Slot6", "Slot7", "Slot8")
"""What a harmless conversation says in each of its places."""

USERS = (1, 3)
"""Places of what a user says."""

WRAPPED = "<tool_response>{}</tool_response>"

IN_JSON = frozenset(MARKS[6:])
"""Places whose text is a part of JSON."""

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}"
    "{% for c in m.tool_calls or () %}<tool_call>{{ c.arguments | tojson }}</tool_call>{% endfor %}"
    "<|im_end|>\n{% endfor %}{% if tools %}{{ tools | tojson }}{% endif %}<|im_start|>assistant\n"
)
BATCH = 50
"""Texts in each place for a template that takes a process for each prompt."""


@dataclass(frozen=True, eq=False)
class Model:
    """The text side of a model."""

    name: str
    tokenizer: Tokenizer
    template: ChatTemplate

    def harmless(self, texts: Sequence[str]) -> tuple[list[int], str]:
        """Control ids and text of the conversation that means no harm, with marks for texts.

        A user's text that is wholly wrapped like a tool's result counts as one, as in Qwen's own
        template: then the thoughts before it are a part of the prompt.
        """
        wrapped = {i for i in USERS if is_tool_result(texts[i])}
        marks = [WRAPPED.format(mark) if i in wrapped else mark for i, mark in enumerate(MARKS)]
        controls, text = _read_once(self, tuple(marks))
        return controls, reduce(lambda said, i: said.replace(marks[i], MARKS[i]), wrapped, text)

    def read(self, texts: Sequence[str]) -> tuple[list[int], str]:
        """Control ids and text of the prompt with these texts in its places."""
        pieces = self.template.render(messages(texts), tools=[tool(texts[8])])
        ids = self.tokenizer.encode_pieces(pieces)
        return list(filter(self.tokenizer.is_control, ids)), self.tokenizer.decode(ids)


@cache
def _read_once(model: Model, texts: tuple[str, ...]) -> tuple[list[int], str]:
    return model.read(texts)


def messages(texts: Sequence[str]) -> list[Message]:
    """A conversation with a text in every place that holds one but the description of a tool."""
    call = {"name": "look", "arguments": {texts[6]: "at", "at": [texts[7]]}}
    return [
        {"role": "system", "content": texts[0]},
        {"role": "user", "content": texts[1]},
        {"role": "assistant", "content": texts[2], "reasoning_content": "before"},
        {"role": "user", "content": texts[3]},
        {"role": "assistant", "content": "", "reasoning_content": texts[4], "tool_calls": [call]},
        {"role": "tool", "content": texts[5]},
    ]


def tool(text: str) -> dict[str, object]:
    """A tool whose description holds the text."""
    return {"type": "function", "function": {"name": "look", "description": text}}


def models(folder: Path) -> Iterator[Model]:
    """The bundled tokenizer with three templates, and Qwen3's own where it is at hand."""
    bundled = folder / "bundled"
    shutil.copytree(bundled_path("tiny"), bundled, ignore=shutil.ignore_patterns("*.safetensors"))
    yield _model("bundled", bundled)
    unknown = shutil.copytree(bundled, folder / "unknown")
    template = (unknown / "chat_template.jinja").read_text()
    (unknown / "chat_template.jinja").write_text("{# ours no more #}" + template)
    yield _model("unknown template", unknown)
    (unknown / "chat_template.jinja").write_text(CHATML)
    yield _model("ChatML", unknown)
    (folder / "real").mkdir()
    if real := real_tokenizer.unpacked(folder / "real"):
        yield _model("Qwen3's own", real)


def _model(name: str, folder: Path) -> Model:
    tokenizer = load_tokenizer(folder)
    return Model(name, tokenizer, load_template(folder, tokenizer))


def attempts(count: int, seed: int) -> list[list[str]]:
    """The texts of each trial: every form in all places, then names cut over places, then mixes."""
    whole = [[form] * len(MARKS) for name in NAMES for form in forms(name)]
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


def placed(text: str, texts: Sequence[str]) -> str:
    """The harmless prompt with other texts in its places, as they are written there."""
    for mark, said in zip(MARKS, texts, strict=True):
        encodable = said.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        in_json = json.dumps(encodable, ensure_ascii=False)[1:-1]
        text = text.replace(mark, in_json if mark in IN_JSON else encodable)
    return normalize("NFC", text)


def try_prompt(model: Model, texts: Sequence[str]) -> str:
    """What became of the texts of one trial; `unchanged` is what should."""
    harmless, said = model.harmless(texts)
    controls, read = model.read(texts)
    if controls != harmless:
        return "a control id out of text"
    return "unchanged" if normalize("NFC", read) == placed(said, texts) else "another text"


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
        if not model.template.is_sandboxed:  # else the tokenizer is one that was tried before
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
    """The trials; for a template that takes a process for each prompt, several texts a place."""
    if not model.template.is_sandboxed:
        return trials
    groups = (trials[start : start + BATCH] for start in range(0, len(trials), BATCH))
    return [[" ".join(texts) for texts in zip(*group, strict=True)] for group in groups]


if __name__ == "__main__":
    main(attack, 20_000)
