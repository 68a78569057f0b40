"""A conversation: its messages, its mode, and what the model has already read of it.

Knows when a turn counts and when it is taken back. Does not know arrays, ids or screens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from inspect import GEN_CLOSED, GEN_RUNNING, getgeneratorstate
from threading import Event as Flag

from qwen3_mlx.errors import ContextOverflowError, UsageError, check_type
from qwen3_mlx.events import Done, Event, Reply, ThinkingChosen, ToolCall
from qwen3_mlx.generation.ahead import HandOver, beginning, read_ahead
from qwen3_mlx.generation.defaults import SamplingArgs
from qwen3_mlx.generation.engine import Engine, Events
from qwen3_mlx.generation.limits import thinking_room
from qwen3_mlx.generation.mode import Thinking, choose, settled
from qwen3_mlx.generation.prefix import Prefix
from qwen3_mlx.generation.prompt import Request
from qwen3_mlx.generation.thinking import ThinkingBudget
from qwen3_mlx.text.pieces import Message
from qwen3_mlx.text.switches import find_switch
from qwen3_mlx.tools.chain import MAX_STEPS, Chain, Toolbox
from qwen3_mlx.tools.history import without_thoughts
from qwen3_mlx.tools.schema import Function, tools_of
from qwen3_mlx.tools.tool import Tool


class Conversation:
    """Turns of a person and a model; one turn at a time.

    A turn that fails, or that is stopped before its answer has begun, is taken back; one stopped
    in its answer, or after a tool has been called, is kept as far as it came, marked
    `"interrupted": True`. Closing the events of a turn, or Ctrl-C inside them, is a stop too.

    Args:
        engine: Makes the replies.
        budget: Of thinking tokens, for each turn.
        system: The system prompt.
        thinking: False is hard: `/think` does not turn it on. `auto` decides by each message,
            unless `/think` or `/no_think` holds.
        max_tokens: For each reply; None: as the context allows.
        sampling: What a person chose; the rest is the model's default.
        on_prefill: Called with the tokens of a prompt read and to be read.
        tools: What the model may call: functions, see `tool_of`, and tools.
        approve: Asked before each call of a tool; None: all are allowed.
        max_steps: After so many calls one after the other the model has to answer.

    Raises:
        UsageError: limits that contradict each other, a sampling value out of range, or see
            `tools_of`.

    Attributes:
        budget: May be turned from any thread, also while the model thinks.
        messages: The system prompt and the turns that count; may be changed between turns, as
            may `thinking`, `max_tokens`, `sampling`, `on_prefill`, `tools` and `approve`.
        system: The system prompt that `clear` begins again with.
        private: Whether thoughts are in the reply alone: from then on `messages` keep none of a
            turn that is over, and none are saved with what the model has read. May be changed
            between turns.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        budget: ThinkingBudget,
        system: str | None = None,
        thinking: Thinking = True,
        max_tokens: int | None = None,
        sampling: SamplingArgs | None = None,
        on_prefill: Callable[[int, int], None] | None = None,
        tools: Sequence[Tool | Function] = (),
        approve: Callable[[ToolCall], bool] | None = None,
        max_steps: int = MAX_STEPS,
    ) -> None:
        self.budget = budget
        self.messages = opening(system)
        self.system = system
        self.thinking = thinking
        self.max_tokens = max_tokens
        self.sampling: SamplingArgs = sampling or {}
        self.on_prefill = on_prefill
        self.tools = tools_of(tools)
        self.approve = approve
        self.private = False
        self._max_steps = max_steps
        self._engine = engine
        self._prefix = Prefix(engine.model, engine.prompts)
        self._left: int | None = None  # tokens after `undo`, until the next turn
        self._hand_over = HandOver()
        self._stop = Flag()
        self._running: Events | None = None
        self._check()

    @property
    def context_length(self) -> int:
        """Tokens that the prompt and a reply may have together."""
        return self._engine.context_length

    @property
    def longest_context(self) -> int:
        """Tokens that it could be at most, were the model loaded for them."""
        return self._engine.model.config.longest_context

    @property
    def thinks(self) -> Thinking:
        """Whether the next turn thinks, if nothing in its message says otherwise."""
        return self.thinks_after(None)

    @property
    def context_used(self) -> int:
        """Tokens that the model has read or written in the last turn, its prompt included.

        Once that was taken back, those that the turns that are left take; 0 without any.
        """
        return self._prefix.used if self._left is None else self._left

    @property
    def thinking_room(self) -> int:
        """Tokens of thought for which a turn has room at most, before anything is said."""
        instruction = len(self._engine.writer().stop_instruction)
        return thinking_room(self.context_length, instruction, self.max_tokens)

    def thinks_after(self, switch: bool | None) -> Thinking:
        """As `thinks`, if a `/think` (True) or `/no_think` stands in the message; None: neither."""
        return self._engine.template.family != "instruct" and self._wanted(switch)

    def think(self, thinking: Thinking) -> None:
        """Set `thinking`, and forget the switches that were typed; one in the system prompt stays.

        Raises:
            UsageError: it is neither true nor false nor `auto`.
        """
        self.thinking = settled(thinking, None)
        for message in self.messages:
            message.pop("thinking", None)

    def stream(
        self, text: str, *, typed: str | None = None, thinking: bool | None = None
    ) -> Events:
        """Say something and get the reply as it comes. A turn still under way is ended.

        Reading ahead stops for it.

        Args:
            text: The message.
            typed: The part of it that a person typed, where `/think` and `/no_think` count;
                None: all of it.
            thinking: Whether this turn thinks, whatever else says so; None: as it is set.

        Raises:
            UsageError: (with the first event) see `Answering`; or, at once, a turn is under way in
                another thread, or the message is no text.
            ContextOverflowError: (with the first event) the conversation is too long.
            NonFiniteError: the model's numbers are not finite.
        """
        check_type("text", text, str)
        switch = find_switch(text if typed is None else typed)
        with self._between_turns():
            self._stop, self._left = Flag(), None
            wanted = self._wanted(switch) if thinking is None else thinking
            mode = choose(text, typed) if wanted == "auto" else wanted
            self._running = self._turn(_question(text, switch), mode, self._stop)
            return self._running

    def send(self, text: str, *, typed: str | None = None, thinking: bool | None = None) -> Reply:
        """Say something and wait for the whole reply; arguments and errors as for `stream`."""
        return last_reply(self.stream(text, typed=typed, thinking=thinking))

    def read_ahead(self, cancelled: Callable[[], bool] = lambda: False) -> bool:
        """Let the model read what the next prompt is sure to begin with: the old thoughts are gone.

        From any thread, while a person types; the next turn then reads little but its message, and
        says what it would have said. A turn that begins meanwhile, or a change of the messages,
        cancels this and waits for the slice that is being read. An error leaves the conversation
        as it was, with nothing read.

        Args:
            cancelled: Asked before each slice of 64 tokens.

        Returns:
            Whether nothing is left to read: False when cancelled, or while a turn is under way.

        Raises:
            UsageError: the messages cannot be written in the model's format.
            ContextOverflowError: they are longer than the context.
        """
        with self._hand_over.reading() as taken:
            if self._under_way:
                return False
            thinks = self.thinks is not False
            request = self._request(list(self.messages), thinks, self._stop)
            return read_ahead(
                self._engine.writer(), request, self._prefix, lambda: taken() or cancelled()
            )

    def stop(self) -> None:
        """End the turn under way at its next token; from any thread."""
        self._stop.set()

    def clear(self) -> None:
        """Forget all turns; the system prompt stays.

        Raises:
            UsageError: a turn is under way in another thread.
        """
        with self._between_turns():
            self.messages = opening(self.system)
            self._left = None
            self._prefix.clear()

    def undo(self) -> Message | None:
        """Take the last turn back, tools and all; what was said in it, None if there is none.

        What the model has read of the turns before it stays read.

        Raises:
            UsageError: a turn is under way in another thread.
        """
        with self._between_turns():
            starts = self._turn_starts()
            if not starts:
                return None
            question = self.messages[starts[-1]]
            del self.messages[starts[-1] :]
            self._left = self._length() if len(starts) > 1 else 0
            return question

    def drop_oldest(self) -> bool:
        """Forget the first turn; whether there was one.

        A `/think` or `/no_think` that was typed in it goes on to hold from the next one.

        Raises:
            UsageError: a turn is under way in another thread.
        """
        with self._between_turns():
            starts = self._turn_starts()
            if not starts:
                return False
            first, *rest = (self.messages[start] for start in starts)
            if rest and "thinking" in first:
                rest[0].setdefault("thinking", first["thinking"])
            del self.messages[starts[0] : (*starts, len(self.messages))[1]]
            return True

    def holds(self, text: str) -> bool:
        """Whether the context has room for this message, were no other turn before it."""
        # Without thoughts the block is closed in the prompt, which is the longer one.
        request = self._request([*opening(self.system), _question(text, None)], False, self._stop)
        writer = self._engine.writer()
        try:
            writer.encoded(writer.pieces(request))
        except ContextOverflowError:
            return False
        return True

    def adjust(self, *, max_tokens: int | None, sampling: SamplingArgs) -> None:
        """Change `max_tokens` and `sampling` together, or nothing.

        Raises:
            UsageError: limits that contradict each other, or a sampling value out of range.
        """
        before = self.max_tokens, self.sampling
        self.max_tokens, self.sampling = max_tokens, sampling
        try:
            self._check()
        except UsageError:
            self.max_tokens, self.sampling = before
            raise

    @property
    def _switch(self) -> bool | None:
        """The last `/think` (True) or `/no_think` that was typed."""
        said = (m["thinking"] for m in reversed(self.messages) if "thinking" in m)
        found = next(said, None)
        return find_switch(self.system or "") if found is None else found

    def _length(self) -> int:
        """Tokens that the next prompt begins with; the whole context if it cannot be written."""
        request = self._request(self.messages, False, self._stop)
        try:
            return len(beginning(self._engine.writer(), request))
        except UsageError:  # too long, or messages that a template refuses
            return self.context_length

    def _turn_starts(self) -> list[int]:
        """Where in the messages each turn begins."""
        return [i for i, message in enumerate(self.messages) if message.get("role") == "user"]

    def _toolbox(self) -> Toolbox:
        return Toolbox(tools_of(self.tools), self.approve, self._max_steps)

    def _check(self) -> None:
        self._toolbox()
        self._engine.check(self._request([], self.thinks is not False, self._stop))

    def _wanted(self, switch: bool | None) -> Thinking:
        """Whether a turn thinks in which this was typed; `auto` where its message is to decide."""
        return settled(self.thinking, self._switch if switch is None else switch)

    def _turn(self, question: Message, mode: bool | ThinkingChosen, stop: Flag) -> Events:
        thinks = mode.think if isinstance(mode, ThinkingChosen) else mode
        request = self._request([*self.messages, question], thinks, stop)
        chain = Chain(self._engine, request, self._prefix, self._toolbox())
        concluded = False
        try:
            if isinstance(mode, ThinkingChosen) and self._could_think(request):
                yield mode
            with closing(chain.events()) as events:
                for event in events:
                    if isinstance(event, Done):
                        self._conclude(question, chain)
                        concluded = True
                        self._running = None
                    yield event
        except (GeneratorExit, KeyboardInterrupt):
            if not concluded:
                self._conclude(question, chain)
            raise

    def _could_think(self, request: Request) -> bool:
        return self._engine.writer().may_think(replace(request, thinking=True))

    def _request(self, messages: list[Message], thinks: bool, stop: Flag) -> Request:
        return Request(
            messages=messages,
            budget=self.budget,
            thinking=thinks,
            max_tokens=self.max_tokens,
            sampling=self.sampling,
            on_prefill=self.on_prefill,
            stopped=stop.is_set,
            private=self.private,
            tools=[tool.schema for tool in self.tools],
        )

    def _conclude(self, question: Message, chain: Chain) -> None:
        """Keep the turn, unless it was stopped before it came to an answer or a result.

        Ctrl-C in the middle of this, and it is called again: a turn is kept once.
        """
        kept = any(message is question for message in self.messages)
        if not kept and (messages := chain.messages()):
            self._keep([question, *messages])

    def _keep(self, turn: list[Message]) -> None:
        self.messages += [*map(without_thoughts, turn)] if self.private else turn

    @property
    def _under_way(self) -> bool:
        """Whether a turn has begun whose last event has not come yet."""
        return self._running is not None and getgeneratorstate(self._running) != GEN_CLOSED

    @contextmanager
    def _between_turns(self) -> Iterator[None]:
        """Nothing is read ahead, and the last turn is over."""
        with self._hand_over.taken():
            self._end_running()
            yield

    def _end_running(self) -> None:
        if self._running is None:
            return
        if getgeneratorstate(self._running) == GEN_RUNNING:
            raise UsageError(
                "a reply of this conversation is still being made",
                hint="Call stop() and wait for it to end, or use another conversation.",
            )
        self._running.close()


def _question(text: str, switch: bool | None) -> Message:
    message: Message = {"role": "user", "content": text}
    return message if switch is None else {**message, "thinking": switch}


def opening(system: str | None) -> list[Message]:
    """The messages that a conversation begins with.

    Raises:
        UsageError: the system prompt is no text.
    """
    if system is None:
        return []
    check_type("system", system, str)
    return [{"role": "system", "content": system}]


def last_reply(events: Iterable[Event]) -> Reply:
    """Run events to their end; the reply of their `Done`."""
    return next(event.reply for event in events if isinstance(event, Done))
