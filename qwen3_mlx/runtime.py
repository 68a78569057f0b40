"""What `load` returns: a model with its text side and its defaults, and three ways to use it.

Knows which room to ask for which part, and in which order: everything is checked before a weight
is read. Does not know formats, arrays or screens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from time import perf_counter
from typing import Unpack

import mlx.core as mx

from qwen3_mlx.chat import Conversation, last_reply, opening
from qwen3_mlx.checkpoint.expert_memory import ExpertMemory, Experts, parse_expert_memory
from qwen3_mlx.checkpoint.hub import Source, resolve
from qwen3_mlx.checkpoint.load import Checkpoint, compute_dtype, open_checkpoint
from qwen3_mlx.errors import UsageError
from qwen3_mlx.events import Reply
from qwen3_mlx.generation import defaults
from qwen3_mlx.generation.defaults import Defaults, SamplingArgs
from qwen3_mlx.generation.engine import Answering, Engine
from qwen3_mlx.generation.prefix import Prefix
from qwen3_mlx.generation.prompt import Request
from qwen3_mlx.generation.raw import continue_ids
from qwen3_mlx.generation.sampling import SamplingOptions
from qwen3_mlx.generation.thinking import ThinkingBudget
from qwen3_mlx.memory import USUAL_CONTEXT, cache_bytes, check_memory, machine_memory
from qwen3_mlx.model.config import Qwen3Config
from qwen3_mlx.model.tune import tune
from qwen3_mlx.text.files import read_object_if_there
from qwen3_mlx.text.pieces import Message
from qwen3_mlx.text.qwen3_format import is_tool_result
from qwen3_mlx.text.switches import latest_switch
from qwen3_mlx.text.template import ChatTemplate, load_template
from qwen3_mlx.text.tokenizer import load_tokenizer

BUNDLED_BUDGET = 512
GENERATION_CONFIG = "generation_config.json"


class Default(Enum):
    """Stands for what a model does when it is told nothing."""

    BUDGET = "the model's default budget"


@dataclass(kw_only=True, repr=False, eq=False)
class LLM(Engine):
    """A loaded model.

    Attributes:
        name: As it was asked for.
        path: The folder it was loaded from.
        source: Where that folder comes from.
        config: The network's sizes; with YaRN turned on where `context` asked for it.
    """

    name: str
    path: Path
    source: Source
    config: Qwen3Config

    def __repr__(self) -> str:
        return f"LLM({self.name!r}, path={str(self.path)!r})"

    def generate(
        self,
        prompt: str | Sequence[Message],
        *,
        thinking: bool = True,
        budget: int | Default | None = Default.BUDGET,
        max_tokens: int | None = None,
        system: str | None = None,
        on_prefill: Callable[[int, int], None] | None = None,
        **sampling: Unpack[SamplingArgs],
    ) -> Reply:
        """Answer one prompt.

        Args:
            prompt: What a person says, or the messages of a conversation.
            thinking: False for an answer at once; also `/no_think` in what a person says.
            budget: Tokens of thinking at most, 0 for none, None for no end.
            max_tokens: Of thoughts, stop instruction and answer; None: as the context allows.
            system: The system prompt; not together with one in the messages.
            on_prefill: Called with the tokens of the prompt read and to be read.
            sampling: `temp`, `top_p`, `top_k`, `min_p`, `presence_penalty`, `repetition_penalty`,
                `seed`; the model's default where absent or None.

        Raises:
            UsageError: messages or limits that make no sense, or a value out of range.
            ContextOverflowError: the prompt is longer than the context.
            NonFiniteError: the model's numbers are not finite.
        """
        _check_names("generate", sampling)
        messages = _messages(prompt, system)
        request = Request(
            messages=messages,
            budget=self._budget(budget),
            thinking=thinking and latest_switch(_switching(messages)) is not False,
            max_tokens=max_tokens,
            sampling=sampling,
            on_prefill=on_prefill,
        )
        return last_reply(Answering(self, request, Prefix(self.model)).events())

    def chat(
        self,
        *,
        system: str | None = None,
        thinking: bool = True,
        budget: int | Default | None = Default.BUDGET,
        max_tokens: int | None = None,
        on_prefill: Callable[[int, int], None] | None = None,
        **sampling: Unpack[SamplingArgs],
    ) -> Conversation:
        """Begin a conversation; arguments and errors as for `generate`."""
        _check_names("chat", sampling)
        return Conversation(
            self,
            budget=self._budget(budget),
            system=system,
            thinking=thinking,
            max_tokens=max_tokens,
            sampling=sampling,
            on_prefill=on_prefill,
        )

    def stream_ids(
        self, ids: Sequence[int], max_tokens: int = 64, temp: float = 0.0
    ) -> Iterator[int]:
        """Continue ids as they are: no template, no thinking gate, no end but the number.

        Raises:
            UsageError: no ids, ids outside the vocabulary, or a value out of range.
            ContextOverflowError: as many ids as the context, or more.
            NonFiniteError: (with an id) the model's numbers are not finite.
        """
        return continue_ids(self, ids, max_tokens, SamplingOptions(temperature=temp))

    def _budget(self, budget: int | Default | None) -> ThinkingBudget:
        if isinstance(budget, Default):
            return ThinkingBudget(self.defaults.budget, given=False)
        return ThinkingBudget(budget)


def load(
    name: str = "tiny",
    *,
    context: int | None = None,
    expert_memory: str | None = None,
    offline: bool = False,
    dtype: mx.Dtype | None = None,
    compiled: bool | None = None,
) -> LLM:
    """Load a model.

    Args:
        name: A bundled model, an alias like `8b`, a Hugging Face repository, or a folder.
        context: Tokens of prompt and reply; more than the model was made for turns YaRN on.
        expert_memory: For a mixture of experts, how much of its experts is in memory at a time:
            `6GB`, `40%` of them, or `auto` for what this machine has left; the others are read
            when they are needed. None: all are in memory.
        offline: Never use the network.
        dtype: What to compute in; None: float32 on a CPU, the checkpoint's own type elsewhere.
        compiled: Whether to compile the decode step; None: on a GPU. On a CPU it is faster too,
            but the first time on a machine a C++ compiler works on it for some ten seconds.

    Raises:
        ModelNotFoundError: not on this machine, with the command that fetches it.
        ModelFileError: its files are damaged, incomplete or contradict each other.
        UnsupportedModelError: they ask for something that is not implemented.
        ModelTooLargeError: it does not fit into this machine's memory.
        UsageError: a context or dtype that is not possible.
    """
    start = perf_counter()
    source = resolve(name, offline=offline)
    checkpoint = open_checkpoint(source.path)
    tokenizer = load_tokenizer(source.path, vocab_size=checkpoint.config.vocab_size)
    template = load_template(source.path, tokenizer)
    settings = model_defaults(source, template)
    _check_memory(checkpoint, dtype, context)
    loaded = checkpoint.load(dtype=dtype, context=context)
    tune(loaded.model, spare=_spare_memory(checkpoint, dtype), compiled=compiled)
    return LLM(
        name=name,
        path=source.path,
        source=source,
        config=loaded.config,
        model=loaded.model,
        tokenizer=tokenizer,
        template=template,
        defaults=settings,
        context_length=loaded.config.context_length,
        load_seconds=perf_counter() - start,
    )


def _spare_memory(checkpoint: Checkpoint, dtype: mx.Dtype | None) -> int:
    """What faster layouts of the weights may take of the memory that the weights leave."""
    return (machine_memory() - checkpoint.nbytes(dtype)) // 4


def _check_memory(checkpoint: Checkpoint, dtype: mx.Dtype | None, context: int | None) -> None:
    config = checkpoint.config
    tokens = context or min(USUAL_CONTEXT, config.context_length)
    cache = cache_bytes(
        layers=config.num_hidden_layers,
        kv_heads=config.num_key_value_heads,
        head_dim=config.head_dim,
        tokens=tokens,
        item_bytes=(compute_dtype(dtype) or mx.bfloat16).size,
    )
    check_memory(checkpoint.nbytes(dtype), cache, tokens=tokens)


def model_defaults(source: Source, template: ChatTemplate) -> Defaults:
    """What a model uses where a person says nothing; reads its `generation_config.json` alone.

    Raises:
        ModelFileError: a value in that file is of the wrong type or out of range.
    """
    config = read_object_if_there(source.path / GENERATION_CONFIG)
    budget = BUNDLED_BUDGET if source.kind == "bundled" else defaults.BUDGET
    return defaults.read_defaults(config, template.family, budget=budget)


def _check_names(method: str, sampling: Mapping[str, object]) -> None:
    names = SamplingArgs.__annotations__
    for name in sampling:
        if name not in names:
            raise TypeError(
                f"{method}() has no argument {name!r}; those of sampling are {', '.join(names)}"
            )


def _messages(prompt: str | Sequence[Message], system: str | None) -> list[Message]:
    if isinstance(prompt, str):
        return [*opening(system), {"role": "user", "content": prompt}]
    if system is not None and prompt and prompt[0].get("role") == "system":
        raise UsageError("there are two system prompts", hint="Leave one of them out.")
    return [*opening(system), *prompt]


def _switching(messages: Sequence[Message]) -> Iterator[str]:
    """The texts in which `/think` and `/no_think` count: what tools answered is none."""
    for message in messages:
        content = message.get("content")
        if message.get("role") not in {"system", "user"} or not isinstance(content, str):
            continue
        if not is_tool_result(content):
            yield content
