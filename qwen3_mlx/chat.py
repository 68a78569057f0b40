"""A conversation: its messages, its mode, and what the model has already read of it.

Knows when a turn counts and when it is taken back. Does not know arrays, ids or screens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from inspect import GEN_CLOSED, GEN_RUNNING, getgeneratorstate
from threading import Event as Flag

from qwen3_mlx.errors import UsageError
from qwen3_mlx.events import Done, Event, Reply, ToolCall
from qwen3_mlx.generation.ahead import HandOver, read_ahead
from qwen3_mlx.generation.defaults import SamplingArgs
from qwen3_mlx.generation.engine import Answering, Engine, Events
from qwen3_mlx.generation.prefix import Prefix
from qwen3_mlx.generation.prompt import Request
from qwen3_mlx.generation.thinking import ThinkingBudget
from qwen3_mlx.text.pieces import Message
from qwen3_mlx.text.switches import find_switch


class Conversation:
    """Turns of a person and a model; one turn at a time.

    A turn that fails, or that is stopped before its answer has begun, is taken back; one stopped
    in its answer is kept as far as it came, marked `"interrupted": True`. Closing the events of a
    turn, or Ctrl-C inside them, is a stop too.

    Args:
        engine: Makes the replies.
        budget: Of thinking tokens, for each turn.
        system: The system prompt.
        thinking: False is hard: `/think` does not turn it on.
        max_tokens: For each reply; None: as the context allows.
        sampling: What a person chose; the rest is the model's default.
        on_prefill: Called with the tokens of a prompt read and to be read.

    Raises:
        UsageError: limits that contradict each other, or a sampling value out of range.

    Attributes:
        budget: May be turned from any thread, also while the model thinks.
        messages: The system prompt and the turns that count; may be changed between turns, as
            may `thinking`, `max_tokens`, `sampling` and `on_prefill`.
        system: The system prompt that `clear` begins again with.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        budget: ThinkingBudget,
        system: str | None = None,
        thinking: bool = True,
        max_tokens: int | None = None,
        sampling: SamplingArgs | None = None,
        on_prefill: Callable[[int, int], None] | None = None,
    ) -> None:
        self.budget = budget
        self.messages = opening(system)
        self.system = system
        self.thinking = thinking
        self.max_tokens = max_tokens
        self.sampling: SamplingArgs = sampling or {}
        self.on_prefill = on_prefill
        self._engine = engine
        self._prefix = Prefix(engine.model, engine.prompts)
        self._hand_over = HandOver()
        self._stop = Flag()
        self._running: Events | None = None
        self._check()

    @property
    def context_length(self) -> int:
        """Tokens that the prompt and a reply may have together."""
        return self._engine.context_length

    @property
    def thinks(self) -> bool:
        """Whether the next turn thinks, if nothing in its message says otherwise."""
        return self.thinking and self._switch is not False

    @property
    def context_used(self) -> int:
        """Tokens that the model has read or written in the last turn, its prompt included."""
        return self._prefix.used

    def stream(self, text: str, *, typed: str | None = None) -> Events:
        """Say something and get the reply as it comes. A turn still under way is ended.

        Reading ahead stops for it.

        Args:
            text: The message.
            typed: The part of it that a person typed, where `/think` and `/no_think` count;
                None: all of it.

        Raises:
            UsageError: (with the first event) see `Answering`; or, at once, a turn is under way in
                another thread.
            ContextOverflowError: (with the first event) the conversation is too long.
            NonFiniteError: the model's numbers are not finite.
        """
        switch = find_switch(text if typed is None else typed)
        with self._between_turns():
            self._stop = Flag()
            self._running = self._turn(_question(text, switch), self._stop)
            return self._running

    def send(self, text: str, *, typed: str | None = None) -> Reply:
        """Say something and wait for the whole reply; arguments and errors as for `stream`."""
        return last_reply(self.stream(text, typed=typed))

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
            request = self._request(list(self.messages), self._switch, self._stop)
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
            return question

    def drop_oldest(self) -> bool:
        """Forget the first turn; whether there was one.

        Raises:
            UsageError: a turn is under way in another thread.
        """
        with self._between_turns():
            starts = self._turn_starts()
            if starts:
                del self.messages[starts[0] : (*starts, len(self.messages))[1]]
            return bool(starts)

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

    def _turn_starts(self) -> list[int]:
        """Where in the messages each turn begins."""
        return [i for i, message in enumerate(self.messages) if message.get("role") == "user"]

    def _check(self) -> None:
        self._engine.check(self._request([], self._switch, self._stop))

    def _turn(self, question: Message, stop: Flag) -> Events:
        said = question.get("thinking")
        switch = self._switch if said is None else said
        request = self._request([*self.messages, question], switch, stop)
        answering = Answering(self._engine, request, self._prefix)
        concluded = False
        try:
            with closing(answering.events()) as events:
                for event in events:
                    if isinstance(event, Done):
                        concluded = True
                        self._conclude(question, event.reply)
                        self._running = None
                    yield event
        except (GeneratorExit, KeyboardInterrupt):
            if not concluded:
                self._conclude(question, answering.reply())
            raise

    def _request(self, messages: list[Message], switch: bool | None, stop: Flag) -> Request:
        return Request(
            messages=messages,
            budget=self.budget,
            thinking=self.thinking and switch is not False,
            max_tokens=self.max_tokens,
            sampling=self.sampling,
            on_prefill=self.on_prefill,
            stopped=stop.is_set,
        )

    def _conclude(self, question: Message, reply: Reply) -> None:
        """Keep the turn, unless it was stopped before it came to an answer."""
        stopped = reply.finish_reason == "user"
        if stopped and not (reply.answer or reply.tool_calls):
            return
        self.messages += [question, assistant_message(reply)]

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
    """The messages that a conversation begins with."""
    return [] if system is None else [{"role": "system", "content": system}]


def assistant_message(reply: Reply) -> Message:
    """A reply as a message of the history, with the thoughts apart."""
    message: Message = {
        "role": "assistant",
        "content": reply.answer,
        "reasoning_content": reply.thinking,
    }
    if reply.tool_calls:
        message["tool_calls"] = [_call(call) for call in reply.tool_calls]
    if reply.finish_reason == "user":
        message["interrupted"] = True
    return message


def last_reply(events: Iterable[Event]) -> Reply:
    """Run events to their end; the reply of their `Done`."""
    return next(event.reply for event in events if isinstance(event, Done))


def _call(call: ToolCall) -> dict[str, object]:
    function = {"name": call.name, "arguments": dict(call.arguments)}
    return {"type": "function", "function": function}
