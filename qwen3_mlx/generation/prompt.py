"""The ids a reply starts from, and whether it may think.

Knows template, tokenizer and limits. Does not know the model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from qwen3_mlx.generation import limits
from qwen3_mlx.generation.defaults import SamplingArgs
from qwen3_mlx.generation.thinking import ThinkingBudget
from qwen3_mlx.text.backend import END_THINK
from qwen3_mlx.text.parser import BrokenCalls
from qwen3_mlx.text.pieces import Control, Message, Piece, Text
from qwen3_mlx.text.renderer import Tools
from qwen3_mlx.text.template import Block, ChatTemplate, thinking_block
from qwen3_mlx.text.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of the model.

    Attributes:
        messages: The conversation, its last message the one to answer.
        budget: Of thinking tokens; read at every token.
        thinking: False for an empty block, whatever the budget.
        max_tokens: Of thoughts, injected text and answer together; None: as the context allows.
        sampling: What a person chose; the rest is the model's default.
        on_prefill: Called with the tokens read and to be read.
        stopped: Asked at every token whether to end the reply.
        private: Whether no thoughts may be saved with what the model has read.
        tools: What the model is offered to call, as schemas.
        may_call: Whether it may call them, too.
        broken_calls: What becomes of a call that cannot be read.
    """

    messages: Sequence[Message]
    budget: ThinkingBudget
    thinking: bool = True
    max_tokens: int | None = None
    sampling: SamplingArgs = field(default_factory=SamplingArgs)
    on_prefill: Callable[[int, int], None] | None = None
    stopped: Callable[[], bool] = lambda: False
    private: bool = False
    tools: Tools = ()
    may_call: bool = True
    broken_calls: BrokenCalls = "shown"


@dataclass(frozen=True, slots=True)
class Prompt:
    """Where a reply starts.

    Attributes:
        ids: All of the prompt.
        block: How it leaves the thinking block; `closed` when the reply may not think.
        thinking_room: Tokens of thought that leave room for an answer.
        context_left: Tokens of the context after the prompt.
        no_room: In words, why it was to think and cannot; empty otherwise.
    """

    ids: list[int]
    block: Block
    thinking_room: int
    context_left: int
    no_room: str = ""


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes prompts for one model.

    Args:
        context_length: Tokens of prompt and reply together.
        stop_instruction: Ids that end a block of thoughts, closing tag included.
    """

    tokenizer: Tokenizer
    template: ChatTemplate
    context_length: int
    stop_instruction: Sequence[int]

    def write(self, request: Request) -> Prompt:
        """The prompt of a request; without thinking where there is no room for it.

        Raises:
            UsageError: the budget given and `max_tokens` contradict each other.
            ContextOverflowError: the prompt is longer than the context.
        """
        self.check(request)
        if not self.may_think(request):
            return self._prompt(request, thinking=False)
        prompt = self._prompt(request, thinking=True)
        if prompt.thinking_room > 0:
            return prompt
        instruction = len(self.stop_instruction)
        why = limits.lack_of_room(prompt.context_left, instruction, request.max_tokens)
        return replace(self._prompt(request, thinking=False), no_room=why)

    def check(self, request: Request) -> None:
        """Refuse limits that contradict each other, whatever the prompt.

        Raises:
            UsageError: with the numbers.
        """
        limits.check_max_tokens(request.max_tokens)
        if self.may_think(request):
            instruction = len(self.stop_instruction)
            limits.check_budget_fits(request.budget, instruction, request.max_tokens)

    def pieces(self, request: Request) -> list[Piece]:
        """The prompt of a request before it becomes ids, as if there were room for all of it."""
        return self._render(request, thinking=self.may_think(request))

    def encoded(self, pieces: Sequence[Piece]) -> list[int]:
        """The ids of a prompt, or of its beginning.

        Raises:
            ContextOverflowError: they leave no room for a reply.
        """
        limits.check_fewest(self.tokenizer.fewest_ids(pieces), self.context_length)
        ids = self.tokenizer.encode_pieces(pieces)
        limits.check_prompt(len(ids), self.context_length)
        return ids

    def may_think(self, request: Request) -> bool:
        """Whether there is thinking in the reply, if there is room for it."""
        able = self.template.family != "instruct"
        return able and request.thinking and request.budget.limit != 0

    def _render(self, request: Request, *, thinking: bool) -> list[Piece]:
        return self.template.render(request.messages, thinking=thinking, tools=request.tools)

    def _prompt(self, request: Request, *, thinking: bool) -> Prompt:
        pieces = self._render(request, thinking=thinking)
        ids = self.encoded(pieces)
        left = self.context_length - len(ids)
        room = limits.thinking_room(left, len(self.stop_instruction), request.max_tokens)
        return Prompt(ids, thinking_block(pieces) if thinking else "closed", room, left)


def instruction_ids(words: str, tokenizer: Tokenizer) -> list[int]:
    """The ids of a stop instruction: the words, the closing tag, and the space before an answer."""
    return tokenizer.encode_pieces([Text(f"{words}\n"), Control(END_THINK), Text("\n\n")])
