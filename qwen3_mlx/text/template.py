"""A model's chat template: messages in, pieces of a prompt out.

Knows which templates are known (rendered by our own code) and which family a template
belongs to. Does not know ids, nor how strangers' templates are contained (see `sandbox`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from qwen3_mlx.errors import ModelFileError
from qwen3_mlx.text.backend import END_THINK, token_text
from qwen3_mlx.text.files import read_object_if_there, read_text
from qwen3_mlx.text.pieces import Control, Message, Piece, Text, merge
from qwen3_mlx.text.qwen3_format import (
    HYBRID,
    INSTRUCT_2507,
    INSTRUCT_2507_MLX,
    THINKING_2507,
    Qwen3Format,
)
from qwen3_mlx.text.renderer import (
    Block,
    Family,
    Renderer,
    Tools,
    check_request,
    thinking_block,
)
from qwen3_mlx.text.tokenizer import Tokenizer

__all__ = ["Block", "ChatTemplate", "Family", "load_template", "thinking_block"]

MAX_TEMPLATE_BYTES = 2**20

# The sha256 of a template's text without its last newline.
_KNOWN: Mapping[str, Qwen3Format] = {
    # The hybrids, 0.6B to 235B-A22B: as first published, and as revised in July 2025.
    "87a2728cb8dc9fe424d624542f6060ec05a1d285ebbec578bb078900e33396b5": HYBRID,
    "a55ee1b1660128b7098723e0abcd92caa0788061051c62d51cbe87d9cf1974d8": HYBRID,
    # The Thinking-2507 and the Instruct-2507 models.
    "3802169b2a02b81e6adb7ab4f64f91ff02db753c8c3a64a01c35192d3a61d8d7": THINKING_2507,
    "64f85b198065d0fba2a81f37e10ed68161ce2c19a754c7100e67e0ca2ee9c326": INSTRUCT_2507,
    # Instruct-2507 as mlx-community converted it.
    "40c21f34cf67d8c760ef72f8ad3ae5afad514299d4b06e91dd9a8d705af7b541": INSTRUCT_2507_MLX,
    # training/chat_template.jinja, which the bundled models ship.
    "6471b55698c7421de5a4d4ac660aade52396cef758f9583029fc7c2cab84bfa0": HYBRID,
}

_SPECIALS = ("bos_token", "eos_token", "pad_token", "unk_token")


class ChatTemplate:
    """How one model wants its conversations written.

    Attributes:
        family: `hybrid` (thinks or not, as asked), `thinking` (the prompt opens the
            thoughts), or `instruct` (never thinks).
    """

    def __init__(self, renderer: Renderer) -> None:
        self.family: Family = renderer.family
        self._renderer = renderer

    @property
    def is_sandboxed(self) -> bool:
        """Whether the template is a stranger's, run in a process of its own."""
        return not isinstance(self._renderer, Qwen3Format)

    def render(
        self,
        messages: Sequence[Message],
        *,
        thinking: bool = True,
        tools: Tools | None = None,
        add_generation_prompt: bool = True,
    ) -> list[Piece]:
        """The conversation as pieces of a prompt.

        With `thinking=False` a thinking block is written closed: the template's own empty
        block, or `\\n</think>\\n\\n` after one that the template always opens.

        Raises:
            UsageError: The messages cannot be written in this format.
            ModelFileError: The template is broken, unsafe, or does not end.
        """
        check_request(messages, tools or ())
        pieces = self._renderer.render(
            messages,
            thinking=thinking,
            tools=tools or (),
            add_generation_prompt=add_generation_prompt,
        )
        if not thinking and add_generation_prompt and thinking_block(pieces) == "open":
            pieces += [Text("\n"), Control(END_THINK), Text("\n\n")]
        return merge(pieces)


def load_template(directory: Path, tokenizer: Tokenizer) -> ChatTemplate:
    """The chat template of a model directory.

    Args:
        directory: Holds `chat_template.jinja`, or a template in `tokenizer_config.json`.
        tokenizer: Says which texts an unknown template may write as control tokens.

    Raises:
        ModelFileError: No template there, or an unknown one that is broken, unsafe or endless.
    """
    path, source = _read_template(directory)
    known: Renderer | None = _KNOWN.get(template_hash(source))
    return ChatTemplate(known or _unknown(path, source, tokenizer))


def _unknown(path: Path, source: str, tokenizer: Tokenizer) -> Renderer:
    from qwen3_mlx.text.unknown_template import UnknownTemplate

    config = read_object_if_there(path.parent / "tokenizer_config.json")
    named = {key: token_text(config.get(key)) for key in _SPECIALS}
    specials = {key: name for key, name in named.items() if name is not None}
    return UnknownTemplate(str(path), source, tokenizer.controls, specials)


def template_hash(source: str) -> str:
    """What known templates are recognised by; Jinja drops one newline at the end, so we do."""
    return sha256(source.removesuffix("\n").encode()).hexdigest()


def _read_template(directory: Path) -> tuple[Path, str]:
    path = directory / "chat_template.jinja"
    if path.exists():
        return path, read_text(path, limit=MAX_TEMPLATE_BYTES)
    path = directory / "tokenizer_config.json"
    template = _choose(read_object_if_there(path).get("chat_template"))
    if template is None:
        raise ModelFileError(
            f"{directory} has no chat template",
            hint="Fetch the whole model again; a base model without a template cannot chat.",
        )
    return path, template


def _choose(entry: object) -> str | None:
    """The template itself, or the one named `default` where a config lists several."""
    if isinstance(entry, str):
        return entry
    for named in entry if isinstance(entry, list) else ():
        if isinstance(named, dict) and named.get("name") == "default":
            template = named.get("template")
            return template if isinstance(template, str) else None
    return None
