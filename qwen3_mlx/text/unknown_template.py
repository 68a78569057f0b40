"""Render a chat template that is not known by its hash.

Knows how to keep the two kinds of characters apart while Jinja mixes them: what the template
writes may be a control token, what a message contains may not. Does not know Jinja; the
template runs in `sandbox`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain, islice

from qwen3_mlx.errors import ModelFileError, UsageError
from qwen3_mlx.text.pieces import Control, Message, Piece, split
from qwen3_mlx.text.qwen3_format import split_thoughts
from qwen3_mlx.text.renderer import Family, Tools, thinking_block
from qwen3_mlx.text.sandbox import render_in_sandbox

_PROBES: tuple[Message, ...] = (
    {"role": "user", "content": "Hello"},
    {"role": "user", "content": "Good bye"},
)
_PRIVATE_USE = (range(0xF0000, 0xFFFFE), range(0xE000, 0xF900), range(0x100000, 0x10FFFE))


class UnknownTemplate:
    """A template that runs in the sandbox. Implements `Renderer`.

    Args:
        name: The file that it is from, for messages.
        source: Its text.
        controls: The names of the tokenizer's control tokens.
        specials: The names that transformers gives a template: `bos_token` and the like.

    Raises:
        ModelFileError: It is broken, unsafe, endless, or leaves out what a person says, shown by
            rendering short messages.
    """

    def __init__(
        self, name: str, source: str, controls: Collection[str], specials: Mapping[str, str]
    ) -> None:
        self._name = name
        self._source = source
        self._controls = frozenset(controls)
        self._specials = dict(specials)
        self.family: Family = self._probe()

    def render(
        self,
        messages: Sequence[Message],
        *,
        thinking: bool,
        tools: Tools,
        add_generation_prompt: bool,
    ) -> list[Piece]:
        variables = {
            "messages": [_separate_thoughts(message) for message in messages],
            "tools": list(tools) or None,
            "add_generation_prompt": add_generation_prompt,
            "enable_thinking": thinking,
        }
        return self._render([variables])[0]

    def _probe(self) -> Family:
        """Find the family by what the template does."""
        prompt = {"tools": None, "add_generation_prompt": True}
        probes = [
            {**prompt, "messages": [message], "enable_thinking": mode}
            for message in _PROBES
            for mode in (True, False)
        ]
        try:
            thinking, silent, *others = self._render(probes)
        except UsageError as error:
            raise ModelFileError(str(error)) from error
        if [thinking, silent] == others:
            raise ModelFileError(f"the chat template in {self._name} leaves out what a person says")
        if thinking_block(thinking) == "open":
            return "thinking"
        return "hybrid" if thinking != silent else "instruct"

    def _render(self, conversations: Sequence[Mapping[str, object]]) -> list[list[Piece]]:
        """The pieces for each set of variables."""
        marks = _marks(self._controls, self._source, conversations)
        specials = {key: self._marked(text, marks) for key, text in self._specials.items()}
        renders = [{**specials, **variables} for variables in conversations]
        texts = render_in_sandbox(self._name, self._marked(self._source, marks), renders)
        return [list(self._unmarked(text, marks)) for text in texts]

    def _marked(self, text: str, marks: Mapping[str, str]) -> str:
        """The template's own text, with every control token in it marked."""
        return "".join(
            marks[piece.text[0]] + piece.text[1:] if isinstance(piece, Control) else piece.text
            for piece in split(text, self._controls)
        )

    def _unmarked(self, text: str, marks: Mapping[str, str]) -> Iterator[Piece]:
        original = {ord(mark): first for first, mark in marks.items()}
        for piece in split(text, {self._marked(name, marks) for name in self._controls}):
            yield type(piece)(piece.text.translate(original))


def _separate_thoughts(message: Message) -> dict[str, object]:
    """The message with its thoughts in their own key: the template, whose `</think>` is marked,
    cannot find the one in the content."""
    if message["role"] != "assistant":
        return dict(message)
    thought, answer = split_thoughts(message)
    separated: dict[str, object] = {**message, "content": answer}
    return {**separated, "reasoning_content": thought} if thought else separated


def _marks(controls: Collection[str], source: str, variables: object) -> dict[str, str]:
    """For every character that a control token begins with, one that nobody uses.

    It stands for the first character of each control token that the template names. What a message
    contains has none of them, so it cannot be, begin or complete a control token, whatever the
    template writes around it. One character for one: templates that count or cut work as before.
    """
    taken = set(source).union(*_strings(variables))
    free = (chr(code) for code in chain(*_PRIVATE_USE) if chr(code) not in taken)
    firsts = sorted({name[0] for name in controls})
    marks = list(islice(free, len(firsts)))
    if len(marks) < len(firsts):
        raise UsageError("the messages use every private character of Unicode")
    return dict(zip(firsts, marks, strict=True))


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from chain.from_iterable(map(_strings, chain(value.keys(), value.values())))
    elif isinstance(value, list | tuple):
        yield from chain.from_iterable(map(_strings, value))
