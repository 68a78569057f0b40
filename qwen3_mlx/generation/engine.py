"""A model, its text side and its defaults, composed into replies: messages in, events out.

Knows how a reply comes about: write the prompt, reuse what is cached of it, prefill, decode, judge,
parse. Does not keep messages and does not load anything.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import TypeAlias

import mlx.core as mx

from qwen3_mlx.checkpoint.prompt_store import PromptStore
from qwen3_mlx.events import Done, Event, Reply, Usage
from qwen3_mlx.generation.auto_run import AutoRun
from qwen3_mlx.generation.calibration import CAUTIOUS, Calibration
from qwen3_mlx.generation.decode import PREFILL_CHUNK, StepByStep, stream
from qwen3_mlx.generation.defaults import Defaults
from qwen3_mlx.generation.prefix import Prefix
from qwen3_mlx.generation.probe import Probe
from qwen3_mlx.generation.prompt import Request, Writer, instruction_ids
from qwen3_mlx.generation.sampling import Sampler
from qwen3_mlx.generation.sight import Sight
from qwen3_mlx.generation.speculation import Drafting, Speculative
from qwen3_mlx.generation.steps import Judge, TokenStep
from qwen3_mlx.generation.stopwatch import Stopwatch
from qwen3_mlx.generation.thinking import (
    STOP_INSTRUCTION,
    Allowance,
    OwnAllowance,
    Tags,
    ThinkingGate,
)
from qwen3_mlx.generation.turn import Room, Turn
from qwen3_mlx.model.qwen3 import Qwen3
from qwen3_mlx.text.parser import ReplyParser
from qwen3_mlx.text.qwen3_format import content_of, is_tool_result
from qwen3_mlx.text.template import ChatTemplate
from qwen3_mlx.text.tokenizer import Tokenizer

Events: TypeAlias = Generator[Event, None, None]


@dataclass(kw_only=True, repr=False, eq=False)
class Engine:
    """What replies are made with.

    Attributes:
        context_length: Tokens of prompt and reply together.
        stop_instruction: The words that end the thinking when the budget does.
        clock: Seconds, from any start.
        prefill_chunk: Tokens of a prompt that are read at a time.
        drafting: How replies are guessed at; None: not at all.
        prompts: What the model has read in other processes; None: nothing is saved or looked for.
        calibration: What a budget that sets itself knows about this model.
    """

    model: Qwen3
    tokenizer: Tokenizer
    template: ChatTemplate
    defaults: Defaults
    context_length: int
    load_seconds: float = 0.0
    stop_instruction: str = STOP_INSTRUCTION
    clock: Callable[[], float] = perf_counter
    prefill_chunk: int = PREFILL_CHUNK
    drafting: Drafting | None = None
    prompts: PromptStore | None = None
    calibration: Calibration = CAUTIOUS

    def check(self, request: Request) -> None:
        """Refuse a request that could not be answered, whatever its messages.

        Raises:
            UsageError: limits that contradict each other, or a sampling value out of range.
        """
        self.writer().check(request)
        self.defaults.sampling(thinking=request.thinking, chosen=request.sampling)

    def writer(self) -> Writer:
        """Writes this model's prompts."""
        instruction = instruction_ids(self.stop_instruction, self.tokenizer)
        return Writer(self.tokenizer, self.template, self.context_length, instruction)

    def tags(self) -> Tags:
        """The ids that structure this model's replies."""
        control, tokenizer = self.tokenizer.control, self.tokenizer
        return Tags(
            think=control.think,
            end_think=control.end_think,
            tool_call=control.tool_call,
            ends=tokenizer.eos_ids,
            is_control=tokenizer.is_control,
        )


class Answering:
    """One request being answered.

    Args:
        prefix: What the model has read before; afterwards it holds this prompt and reply.

    Raises:
        UsageError: a sampling value out of range; or see `Writer.write`.

    Attributes:
        turn: What has come so far.
        decoding: The loop, once it has begun.
    """

    def __init__(self, engine: Engine, request: Request, prefix: Prefix) -> None:
        self._watch = Stopwatch(engine.clock)
        self._engine = engine
        self._request = request
        self._prefix = prefix
        self._cached = 0
        self.decoding: StepByStep | Speculative | None = None
        self._auto: AutoRun | None = None
        self._prompt = engine.writer().write(request)
        self._sampler = self._make_sampler()
        self._stops = request.budget.stops
        self.turn = self._make_turn(OwnAllowance(request.budget))

    def events(self) -> Events:
        """All events of the reply; the last one is `Done`, also when a person stopped it."""
        logits = self._read_prompt()
        if logits is not None and self._sets_itself:
            self._auto = self._make_auto()
            yield self._auto.chosen
            logits = self._follow_auto(self._auto, logits)
        if logits is not None:
            yield from self.turn.run(partial(self._tokens, logits))
        self._prefix.save(self._without_thoughts() if self._request.private else None)
        yield Done(self.reply())

    def reply(self) -> Reply:
        """The reply as it stands."""
        turn = self.turn
        return Reply(
            answer=turn.answer,
            thinking=turn.thinking,
            tool_calls=tuple(turn.tool_calls),
            stop_thinking=turn.gate.stop_thinking,
            finish_reason=turn.finish_reason,
            usage=self._usage(),
            timing=self._watch.timing(
                load_seconds=self._engine.load_seconds, peak_memory_bytes=mx.get_peak_memory()
            ),
            auto=self._auto.report(turn.gate.thinking_tokens) if self._auto else None,
        )

    def _without_thoughts(self) -> int:
        """How many ids come before all thoughts; a tool chain has some in its prompt."""
        last = self._request.messages[-1]
        asks = last.get("role") == "user" and not is_tool_result(content_of(last))
        return len(self._prompt.ids) if asks else 0

    @property
    def _sets_itself(self) -> bool:
        return self._request.budget.auto is not None and self._prompt.block != "closed"

    def _make_auto(self) -> AutoRun:
        engine, request = self._engine, self._request
        ends, vocab_size = engine.tokenizer.eos_ids, engine.tokenizer.vocab_size
        probe = Probe(engine.model, self._prefix.cache, vocab_size, ends)
        lead = engine.calibration.lead
        sight = Sight(probe, engine.tokenizer, engine.stop_instruction, lead)
        question = content_of(request.messages[-1])
        block, stops = self._prompt.block, self._stops
        return AutoRun(request.budget, engine.calibration, sight, question, block, stops)

    def _follow_auto(self, auto: AutoRun, logits: mx.array) -> mx.array | None:
        """Go on as the budget chose; without thoughts the prompt ends in another way."""
        if auto.chosen.limit > 0:
            self.turn = self._make_turn(auto.allowance)
            return logits
        cached = self._cached
        self._prompt = self._engine.writer().write(replace(self._request, thinking=False))
        self._sampler = self._make_sampler()
        self.turn = self._make_turn(auto.allowance)
        self.turn.gate.stop_thinking = "auto"
        try:
            return self._read_prompt()
        finally:
            self._cached = cached

    def _read_prompt(self) -> mx.array | None:
        self._cached = self._prefix.reuse(self._prompt.ids)
        self._watch.prefill_begins()
        logits = self._prefix.read(
            self._prompt.ids,
            chunk=self._engine.prefill_chunk,
            progress=self._request.on_prefill,
            cancelled=self._request.stopped,
        )
        self._watch.prefilled(len(self._prefix.ids) - self._cached)
        return logits

    def _tokens(self, logits: mx.array, judge: Judge) -> Generator[TokenStep, None, None]:
        self.decoding = self._begin(logits)
        return self._prefix.follow(stream(self.decoding, self._prefix.cache, judge))

    def _begin(self, logits: mx.array) -> StepByStep | Speculative:
        engine, sampler, prefix, ids = self._engine, self._sampler, self._prefix, self._prompt.ids
        state = sampler.start(ids, logits.shape[-1])
        common = engine.model, logits, prefix.cache, sampler, state
        if self._auto is not None:  # guesses in the cache would be in the way of looks
            self._auto.sight.decoding = decoding = StepByStep(*common)
            return decoding
        if engine.drafting is None:
            return StepByStep(*common)
        prefix.drafter = prefix.drafter or engine.drafting.make()
        return Speculative(
            *common,
            prompt=ids,
            drafter=prefix.drafter,
            pace=engine.drafting.pace,
            clock=engine.clock,
        )

    def _make_sampler(self) -> Sampler:
        """A block, once closed or never there, cannot be opened: `<think>` is not sampled."""
        thinks, control = self._prompt.block != "closed", self._engine.tokenizer.control
        options = self._engine.defaults.sampling(thinking=thinks, chosen=self._request.sampling)
        vocab_size = self._engine.tokenizer.vocab_size
        forbidden = [] if self._request.may_call else [control.tool_call]
        if self._prompt.block == "absent":
            return Sampler(options, vocab_size, only_first=control.think, forbidden=_ids(forbidden))
        return Sampler(options, vocab_size, forbidden=_ids([*forbidden, control.think]))

    def _make_turn(self, allowance: Allowance) -> Turn:
        engine, request, prompt = self._engine, self._request, self._prompt
        gate = ThinkingGate(
            engine.tags(),
            allowance,
            block=prompt.block,
            instruction=engine.writer().stop_instruction,
            text=engine.tokenizer.stream_decoder(),
            room=prompt.thinking_room,
        )
        if prompt.no_room:
            gate.lacks_room(prompt.no_room)
        return Turn(
            gate,
            ReplyParser(engine.tokenizer, prompt.block, request.broken_calls),
            room=Room(prompt.context_left, request.max_tokens),
            stopped=request.stopped,
            watch=self._watch,
        )

    def _usage(self) -> Usage:
        gate = self.turn.gate
        guessed = self.decoding if isinstance(self.decoding, Speculative) else None
        return Usage(
            prompt_tokens=len(self._prompt.ids),
            cached_tokens=self._cached,
            thinking_tokens=gate.thinking_tokens,
            injected_tokens=gate.injected_tokens,
            answer_tokens=self.turn.answer_tokens,
            drafted_tokens=guessed.drafted if guessed else 0,
            accepted_tokens=guessed.accepted if guessed else 0,
            probed_tokens=self._auto.sight.probe.tokens if self._auto else 0,
        )


def _ids(tokens: Iterable[int | None]) -> list[int]:
    """Those that the tokenizer has."""
    return [token for token in tokens if token is not None]
