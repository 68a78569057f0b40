"""What `load` returns: a model with its text side and its defaults, and the ways to use it.

Knows what may be asked of a model, and of which room. Does not know where its parts come from, nor
formats, arrays or screens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Unpack, cast

from qwen3_mlx.chat import Conversation, last_reply, opening
from qwen3_mlx.checkpoint.hub import Source
from qwen3_mlx.errors import UsageError
from qwen3_mlx.events import Done, Reply, ToolCall
from qwen3_mlx.generation.batch import BATCH_SIZE, Batch, IndexedEvents, naming
from qwen3_mlx.generation.batch_args import BatchSamplingArgs, Each, check_prompts, for_each
from qwen3_mlx.generation.batch_limits import check_budget
from qwen3_mlx.generation.defaults import SamplingArgs
from qwen3_mlx.generation.engine import Engine
from qwen3_mlx.generation.explain import explain, plain_account
from qwen3_mlx.generation.mode import Thinking, choose, settled
from qwen3_mlx.generation.prefix import Prefix
from qwen3_mlx.generation.prompt import Request
from qwen3_mlx.generation.raw import continue_ids
from qwen3_mlx.generation.sampling import SamplingOptions
from qwen3_mlx.generation.thinking import Limit, ThinkingBudget
from qwen3_mlx.model.config import Qwen3Config
from qwen3_mlx.text.pieces import Message
from qwen3_mlx.text.qwen3_format import is_tool_result
from qwen3_mlx.text.switches import latest_switch
from qwen3_mlx.tools.chain import MAX_STEPS, Chain, Toolbox
from qwen3_mlx.tools.schema import Function, tools_of
from qwen3_mlx.tools.tool import Tool


class Default(Enum):
    """Stands for what a model does when it is told nothing."""

    BUDGET = "the model's default budget"


class RequestArgs(SamplingArgs, total=False):
    """What may be said of one prompt."""

    thinking: Thinking
    budget: Limit | Default
    max_tokens: int | None
    system: str | None


class BatchArgs(BatchSamplingArgs, total=False):
    """What may be said of all prompts of a batch, or of each; see `LLM.generate_batch`."""

    thinking: Each[Thinking]
    budget: Each[Limit | Default]
    max_tokens: Each[int | None]
    system: Each[str | None]


@dataclass(kw_only=True, repr=False, eq=False)
class LLM(Engine):
    """A loaded model.

    Attributes:
        name: As it was asked for.
        path: The folder it was loaded from.
        source: Where that folder comes from.
        config: The network's sizes; with YaRN turned on where `context` asked for it.
        expert_slots: How many experts of each layer are in memory at a time; None for all.
    """

    name: str
    path: Path
    source: Source
    config: Qwen3Config
    expert_slots: int | None = None

    def __repr__(self) -> str:
        return f"LLM({self.name!r}, path={str(self.path)!r})"

    def generate(
        self,
        prompt: str | Sequence[Message],
        *,
        thinking: Thinking = True,
        budget: Limit | Default = Default.BUDGET,
        max_tokens: int | None = None,
        system: str | None = None,
        on_prefill: Callable[[int, int], None] | None = None,
        tools: Sequence[Tool | Function] = (),
        approve: Callable[[ToolCall], bool] | None = None,
        max_steps: int = MAX_STEPS,
        **sampling: Unpack[SamplingArgs],
    ) -> Reply:
        """Answer one prompt.

        Args:
            prompt: What a person says, or the messages of a conversation.
            thinking: False for an answer at once; also `/no_think` in what a person says. `auto`
                decides by what is said last, unless `/think` or `/no_think` holds.
            budget: Tokens of thinking at most, 0 for none, None for no end; `auto`, or an
                `AutoBudget` for some of its parts, for one that sets itself.
            max_tokens: Of thoughts, stop instruction and answer; None: as the context allows.
            system: The system prompt; not together with one in the messages.
            on_prefill: Called with the tokens of the prompt read and to be read.
            tools: What the model may call before it answers: functions, see `tool_of`, and tools.
                Budget and `max_tokens` are then for all steps together.
            approve: Asked before each call of a tool; None: all are allowed.
            max_steps: After so many calls one after the other the model has to answer.
            sampling: `temp`, `top_p`, `top_k`, `min_p`, `presence_penalty`, `repetition_penalty`,
                `seed`; the model's default where absent or None.

        Raises:
            UsageError: messages or limits that make no sense, a value out of range, or see
                `tools_of`.
            ContextOverflowError: the prompt is longer than the context.
            NonFiniteError: the model's numbers are not finite.
        """
        _check_names("generate", sampling)
        toolbox = Toolbox(tools_of(tools), approve, max_steps)
        request = self.request(
            prompt,
            thinking=thinking,
            budget=budget,
            max_tokens=max_tokens,
            system=system,
            on_prefill=on_prefill,
            **sampling,
        )
        request = replace(request, tools=[tool.schema for tool in toolbox.tools])
        prefix = Prefix(self.model, self.prompts)
        return last_reply(Chain(self, request, prefix, toolbox).events())

    def generate_batch(
        self,
        prompts: Sequence[str | Sequence[Message]],
        *,
        batch_size: int = BATCH_SIZE,
        **each: Unpack[BatchArgs],
    ) -> list[Reply]:
        """Answer several prompts together: the replies of `generate`, in more tokens a second.

        Args:
            prompts: What a person says, or the messages of a conversation, one or more times.
            batch_size: Prompts at a time at most; when a reply ends, the next prompt joins.
            each: `thinking`, `budget`, `max_tokens`, `system` and those of sampling, as for
                `generate`: one value for all prompts, or a list with one for each.

        Returns:
            The replies in the order of the prompts. `first_token_seconds` runs from the call.

        Raises:
            UsageError: as for `generate`, with the prompt's number; no prompts; a list of another
                length; a `batch_size` below 1; or a model loaded with `kv_bits` or `max_kv`.
            ContextOverflowError: a prompt is longer than the context; which one.
            ModelTooLargeError: so many prompts at a time do not fit into memory.
            NonFiniteError: the model's numbers are not finite.
        """
        events = self.stream_batch(prompts, batch_size=batch_size, **each)
        replies = {index: event.reply for index, event in events if isinstance(event, Done)}
        return [replies[index] for index in range(len(prompts))]

    def stream_batch(
        self,
        prompts: Sequence[str | Sequence[Message]],
        *,
        batch_size: int = BATCH_SIZE,
        **each: Unpack[BatchArgs],
    ) -> IndexedEvents:
        """As `generate_batch`, but the events as they come, each with its prompt's index.

        What is wrong with the arguments is said at once, before the first event.
        """
        known = RequestArgs.__annotations__
        _check_names("generate_batch", {k: v for k, v in each.items() if k not in known})
        check_prompts(prompts)
        requests = []
        for index, arguments in enumerate(for_each(len(prompts), each)):
            with naming(index):
                given = cast(RequestArgs, arguments)
                requests.append(self.request(prompts[index], **given))
                check_budget(requests[-1].budget)
        return Batch(self, requests, batch_size).events()

    def chat(
        self,
        *,
        system: str | None = None,
        thinking: Thinking = True,
        budget: Limit | Default = Default.BUDGET,
        max_tokens: int | None = None,
        on_prefill: Callable[[int, int], None] | None = None,
        tools: Sequence[Tool | Function] = (),
        approve: Callable[[ToolCall], bool] | None = None,
        max_steps: int = MAX_STEPS,
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
            tools=tools,
            approve=approve,
            max_steps=max_steps,
        )

    def explain(
        self, question: str, reply: Reply, *, stopped: Callable[[], bool] = lambda: False
    ) -> str:
        """One sentence about how a reply came to its answer, asked of the model without thinking.

        It repeats neither a passage of the thoughts, nor a number or a rare word that only they
        have: where the model's sentence does, and for the bundled models, which know no such
        sentences, the count of tokens stands in its place. Other words of the thoughts may be in
        it. Conversations are left as they are.

        Args:
            question: What was answered.
            reply: The answer, with its thoughts.
            stopped: Asked at every token whether to give it up.

        Returns:
            The sentence; nothing where nothing was thought, or when it was given up.

        Raises:
            NonFiniteError: the model's numbers are not finite.
        """
        if self.source.kind == "bundled":
            return plain_account(reply) if reply.thinking else ""
        return explain(self, question, reply, stopped)

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

    def request(
        self,
        prompt: str | Sequence[Message],
        *,
        thinking: Thinking = True,
        budget: Limit | Default = Default.BUDGET,
        max_tokens: int | None = None,
        system: str | None = None,
        on_prefill: Callable[[int, int], None] | None = None,
        **sampling: Unpack[SamplingArgs],
    ) -> Request:
        """What `generate` asks of the engine; arguments as there.

        Raises:
            UsageError: no prompt, two system prompts, or a budget that is none.
        """
        messages = _messages(prompt, system)
        return Request(
            messages=messages,
            budget=self._budget(budget),
            thinking=_thinks(thinking, messages),
            max_tokens=max_tokens,
            sampling=sampling,
            on_prefill=on_prefill,
        )

    def _budget(self, budget: Limit | Default) -> ThinkingBudget:
        if isinstance(budget, Default):
            return ThinkingBudget(self.defaults.budget, given=False)
        return ThinkingBudget(budget)


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
    if not _are_messages(prompt):
        raise UsageError(
            "the prompt is neither text nor a list of messages",
            hint="A message is a dict with role and content; generate_batch takes several prompts.",
        )
    if system is not None and prompt and prompt[0].get("role") == "system":
        raise UsageError("there are two system prompts", hint="Leave one of them out.")
    return [*opening(system), *prompt]


def _are_messages(prompt: object) -> bool:
    return isinstance(prompt, Sequence) and all(isinstance(said, Mapping) for said in prompt)


def _thinks(thinking: Thinking, messages: Sequence[Message]) -> bool:
    """Whether the reply to the last message thinks."""
    wanted = settled(thinking, latest_switch(_switching(messages)))
    if wanted != "auto":
        return wanted
    said = [m for m in messages if m.get("role") == "user" and not is_tool_result(_content(m))]
    return choose(_content(said[-1]) if said else "").think


def _content(message: Message) -> str:
    content = message.get("content")
    return content if isinstance(content, str) else ""


def _switching(messages: Sequence[Message]) -> Iterator[str]:
    """The texts in which `/think` and `/no_think` count: what tools answered is none."""
    for message in messages:
        content = message.get("content")
        if message.get("role") not in {"system", "user"} or not isinstance(content, str):
            continue
        if not is_tool_result(content):
            yield content
