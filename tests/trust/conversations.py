"""Conversations with a place for every text that a prompt can hold, and formats to write them in.

Knows which places hold text, and how Qwen3's formats, and templates that are nobody's, write them.
Does not know what the texts are.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, reduce
from pathlib import Path

from qwen3_mlx.bundled import bundled_path
from qwen3_mlx.text.pieces import Message
from qwen3_mlx.text.qwen3_format import (
    INSTRUCT_2507,
    INSTRUCT_2507_MLX,
    THINKING_2507,
    is_tool_result,
)
from qwen3_mlx.text.template import ChatTemplate, load_template
from qwen3_mlx.text.tokenizer import Tokenizer, load_tokenizer
from tests import real_tokenizer

MARKS = tuple(f"Slot{letter}" for letter in "ABCDEFGHIJKLMN")
"""What a harmless conversation says in each of its places."""

USERS = (1, 3)
"""Places of what a user says."""

WRAPPED = "<tool_response>{}</tool_response>"

IN_JSON = frozenset(MARKS[6:12])
"""Places whose text is a part of JSON."""

BEGIN = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}"
CALLS = "{% for c in m.tool_calls or () %}<tool_call>"
END = "{% endfor %}<|im_end|>\n{% endfor %}"
OPEN = "<|im_start|>assistant\n"
CHATML = (
    f"{BEGIN}{CALLS}{{{{ c.name }}}}"
    "{{ c.arguments if c.arguments is string else c.arguments | tojson }}</tool_call>"
    f"{END}{{{{ tools | tojson }}}}{OPEN}"
)
TAGS = (
    f"{BEGIN}{CALLS}<{{{{ c.name }}}}></tool_call>{END}{{% for tool in tools or () %}}"
    "{% for name in tool.function.parameters.properties %}"
    "{{ '<' ~ name ~ '>' }}</{{ name }}>{{ '<|' + name }}|>{% endfor %}{% endfor %}"
    f"{OPEN}"
)
"""Writes the names of tools and of their parameters between brackets, as Qwen3-Coder's does."""

FORMATS = {
    "Thinking-2507": THINKING_2507,
    "Instruct-2507": INSTRUCT_2507,
    "mlx-community's Instruct-2507": INSTRUCT_2507_MLX,
}
"""The known ones besides the hybrids'."""

BATCH = 50
"""Texts in each place of a prompt that takes a process."""


@dataclass(frozen=True, eq=False)
class Model:
    """The text side of a model.

    Attributes:
        in_json: Marks of the places whose text its template writes as a part of JSON.
        alone: Whether its tokenizer has not been tried with another template.
        together: Texts in each place of a prompt: many where a prompt takes a process.
    """

    name: str
    tokenizer: Tokenizer
    template: ChatTemplate
    in_json: frozenset[str] = IN_JSON
    alone: bool = True
    together: int = 1

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
        pieces = self.template.render(messages(texts), tools=[tool(*texts[8:12])])
        ids = self.tokenizer.encode_pieces(pieces)
        return list(filter(self.tokenizer.is_control, ids)), self.tokenizer.decode(ids)


@cache
def _read_once(model: Model, texts: tuple[str, ...]) -> tuple[list[int], str]:
    return model.read(texts)


def messages(texts: Sequence[str]) -> list[Message]:
    """A conversation with a text in every place that holds one but those of an offered tool."""
    calls: list[Mapping[str, object]] = [
        {"name": texts[12], "arguments": {texts[6]: "at", "at": [texts[7]]}},
        {"name": "look", "arguments": texts[13]},
    ]
    return [
        {"role": "system", "content": texts[0]},
        {"role": "user", "content": texts[1]},
        {"role": "assistant", "content": texts[2], "reasoning_content": "before"},
        {"role": "user", "content": texts[3]},
        {"role": "assistant", "content": "", "reasoning_content": texts[4], "tool_calls": calls},
        {"role": "tool", "content": texts[5]},
    ]


def tool(name: str, description: str, parameter: str, about: str) -> dict[str, object]:
    """A tool that is offered, with such texts in it."""
    properties = {parameter: {"type": "string", "description": about}}
    parameters = {"type": "object", "properties": properties, "required": [parameter]}
    function = {"name": name, "description": description, "parameters": parameters}
    return {"type": "function", "function": function}


def models(folder: Path) -> Iterator[Model]:
    """The bundled tokenizer with every format, and Qwen3's own where it is at hand."""
    bundled = folder / "bundled"
    shutil.copytree(bundled_path("tiny"), bundled, ignore=shutil.ignore_patterns("*.safetensors"))
    yield from _with_known_formats("bundled", bundled)
    unknown = shutil.copytree(bundled, folder / "unknown")
    file = unknown / "chat_template.jinja"
    changed = "{# ours no more #}" + file.read_text()
    for name, template in {"unknown template": changed, "ChatML": CHATML, "tags": TAGS}.items():
        file.write_text(template)
        made = replace(_model(name, unknown), alone=False)
        as_tags = template == TAGS
        yield replace(made, in_json=frozenset()) if as_tags else replace(made, together=BATCH)
    (folder / "real").mkdir()
    if real := real_tokenizer.unpacked(folder / "real"):
        yield from _with_known_formats("Qwen3's own", real)


def _with_known_formats(name: str, folder: Path) -> Iterator[Model]:
    yield (hybrid := _model(name, folder))
    for kind, known in FORMATS.items():
        template = ChatTemplate(known)
        yield replace(hybrid, name=f"{name}, {kind}", template=template, alone=False)


def _model(name: str, folder: Path) -> Model:
    tokenizer = load_tokenizer(folder)
    return Model(name, tokenizer, load_template(folder, tokenizer))
