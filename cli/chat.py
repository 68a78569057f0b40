"""`qwen3-mlx chat`: reads a line, lets the model answer, and again.

Knows the loop and what ends it. Lines come from `editor`, turns are shown by `view`, commands are
in `commands`, and what to do with a full context in `room`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import takewhile
from typing import TYPE_CHECKING

from qwen3_mlx.cli import keeping, talking, transcripts, wording
from qwen3_mlx.cli.ahead import reading_ahead
from qwen3_mlx.cli.call_wording import unfolded
from qwen3_mlx.cli.calls import Calls
from qwen3_mlx.cli.choices import Show
from qwen3_mlx.cli.commands import is_command, run_command, unescaped
from qwen3_mlx.cli.completion import completions
from qwen3_mlx.cli.cover import Cover
from qwen3_mlx.cli.dial import own_budget
from qwen3_mlx.cli.editor import Desk, LineSource, line_source
from qwen3_mlx.cli.files import joined
from qwen3_mlx.cli.filter import clean_line
from qwen3_mlx.cli.history import NAME, TypedLines
from qwen3_mlx.cli.interrupt import Presses, stop_on_interrupt
from qwen3_mlx.cli.keyboard import listening
from qwen3_mlx.cli.loading import finish_saving, open_conversation, open_model, tell_notes
from qwen3_mlx.cli.options import Settings
from qwen3_mlx.cli.room import make_room
from qwen3_mlx.cli.state import state_path
from qwen3_mlx.cli.summing import summary_of
from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.cli.tool_options import ToolWishes
from qwen3_mlx.cli.tool_registry import ToolRegistry, opened_tools
from qwen3_mlx.cli.turnabout import Turnabout
from qwen3_mlx.cli.view import TurnView
from qwen3_mlx.cli.welcome import suggestion, welcome
from qwen3_mlx.errors import ContextOverflowError, Qwen3Error
from qwen3_mlx.text.switches import find_switch

if TYPE_CHECKING:
    from qwen3_mlx.chat import Conversation
    from qwen3_mlx.events import Reply
    from qwen3_mlx.generation.mode import Thinking
    from qwen3_mlx.runtime import LLM
    from qwen3_mlx.text.pieces import Message

INTERRUPTED = 130


def run(
    settings: Settings,
    terminal: Terminal,
    *,
    resume: bool,
    keep: bool,
    tools: ToolWishes,
    flags: frozenset[str] = frozenset(),
) -> int:
    """Holds a chat. Returns the exit code.

    Args:
        settings: The model and how it should answer.
        terminal: Where to.
        resume: Whether to go on with the last conversation.
        keep: Whether what is typed and said is kept for the next time.
        tools: What the model is offered.
        flags: The settings that were given on the command line.

    Raises:
        Qwen3Error: the model cannot be had or loaded, a tool or the input cannot be used.
    """
    keep = keep and terminal.conversational
    before = transcripts.last() if resume else None
    typed = TypedLines(state_path(NAME) if keep else None, terminal.redaction.text, terminal.aside)
    lines = line_source(terminal, typed)
    with opened_tools(tools, terminal) as registry:
        llm = open_model(settings, terminal)
        chat = Chat(llm, settings, terminal, lines, keep=keep, tools=registry, flags=flags)
        welcome(terminal, llm, chat.conversation)
        if before is not None:
            keeping.restore(chat, before)
        code = chat.run()
        finish_saving(chat.llm, terminal)
    return code


class Chat:
    """One chat.

    Args:
        llm: What answers.
        settings: How it should.
        terminal: Where answers go.
        lines: Where questions come from.
        keep: Whether the conversation is kept for the next time.
        tools: The tools that the model is offered.
        flags: The settings that were given on the command line.
    """

    def __init__(
        self,
        llm: LLM,
        settings: Settings,
        terminal: Terminal,
        lines: LineSource,
        *,
        keep: bool,
        tools: ToolRegistry,
        flags: frozenset[str] = frozenset(),
    ) -> None:
        self.llm = llm
        self._calls = Calls(terminal, tools) if tools.entries else None
        self.conversation: Conversation = open_conversation(llm, settings, terminal, self._calls)
        self.terminal = terminal
        self.tools = tools
        self.model = llm.name
        self.flags = flags
        self.show = settings.thoughts
        self.thoughts = ""
        """What the model thought last, if that may be seen."""
        self.last_reply: Reply | None = None
        self.own_files: dict[str, str] = {}
        self._settings = settings
        self._lines = lines
        self._keep = keep
        self._suggestion = suggestion(llm)
        self._switches = ""  # typed since the last message that was kept
        self._attached: list[str] = []
        self._line = ""  # what the next one begins with
        self._leaving = False
        self._interrupted = False  # Ctrl-C since the last line: the next one leaves
        self._exit_code = 0
        lines.sit_at(
            Desk(self._toolbar, self._toggle, lambda: talking.show_last_thoughts(self), completions)
        )

    def run(self) -> int:
        """Goes on until somebody leaves. Returns the exit code."""
        while not self._leaving:
            try:
                self._take(self._read())
            except EOFError:
                break
            except KeyboardInterrupt:  # at an empty line, in a command, or beside a turn
                if self._interrupted or not self.terminal.conversational:
                    return INTERRUPTED
                self._warn_of_leaving()
        return self._exit_code

    def _read(self) -> str:
        """The next line."""
        text, self._line = self._line, ""
        with reading_ahead(self.conversation, self.terminal):
            line = self._lines.read(self._suggestion, text)
            self._interrupted = False
            return line

    def leave(self) -> None:
        """Ends the chat after this line."""
        self._leaving = True

    def switch(self, word: str) -> None:
        """Takes `/think` or `/no_think`, as if it stood before the next message."""
        self._switches = word

    def edit(self, text: str) -> None:
        """Puts `text` on the next line."""
        self._line = text

    def attach(self, text: str) -> None:
        """Puts `text` before the next message.

        Raises:
            UsageError: with what is there already it is too large for a message.
        """
        joined([*self._attached, text])
        self._attached.append(text)

    def detach(self) -> None:
        """Puts nothing before the next message."""
        self._attached = []

    def look_back(self) -> None:
        """Takes the last turn that is left as the last one; its figures are gone."""
        self.last_reply = None
        self.thoughts = "" if self.show.private else _last_thoughts(self.conversation.messages)

    def send(self, text: str) -> None:
        """Says `text` to the model, after what is attached, and shows what comes back.

        Raises:
            Qwen3Error: the turn failed, and is taken back.
        """
        whole = joined([*self._attached, text])
        if self._say(whole, f"{self._switches}\n{text}".strip("\n")):
            self.detach()

    def send_again(self, text: str, switch: str) -> None:
        """Says `text` again.

        Raises:
            Qwen3Error: the turn failed, and is taken back.
        """
        self._say(text, self._switches or switch)

    def _say(self, text: str, typed: str) -> bool:
        """Plays a turn, once there is room for it; whether it was kept."""
        while True:
            try:
                return self._play(text, typed)
            except ContextOverflowError as error:
                if not self.terminal.conversational:
                    raise
                if not make_room(self, text, error):
                    return False

    def change_model(self, name: str) -> None:
        """Lets another model go on with the conversation.

        Raises:
            Qwen3Error: it cannot be had or loaded, or Ctrl-C was pressed; the old one goes on.
        """
        self._reopen(dataclasses.replace(self._settings, model=name))

    def widen(self, context: int) -> None:
        """Makes the context so many tokens, by YaRN where the model's own is not enough.

        Raises:
            Qwen3Error: the model cannot be loaded with it.
        """
        self._reopen(dataclasses.replace(self._settings, context=context))

    def _reopen(self, settings: Settings) -> None:
        before = self.conversation
        try:
            llm = open_model(settings, self.terminal)
        except KeyboardInterrupt as error:
            raise Qwen3Error(f"stopped: {self.model} goes on") from error
        after = open_conversation(llm, settings, self.terminal, self._calls)
        after.messages, after.system = before.messages, before.system
        if before.budget.given:
            after.budget.set(before.budget.setting)
        after.max_tokens, after.sampling = before.max_tokens, before.sampling
        after.thinking = before.thinking
        self.conversation, self.model, self._settings = after, llm.name, settings
        self.llm = llm

    def _play(self, text: str, typed: str, thinking: bool | None = None) -> bool:
        messages = len(self.conversation.messages)
        self.conversation.private = self.show.private
        cover = Cover(self.terminal.redaction, private=self.show.private)
        again = Turnabout(self.conversation.stop)
        stream = self.conversation.stream(text, typed=typed, thinking=thinking)
        events = again.watched(cover.events(stream))
        with (
            self._taken_back_after_errors(),
            self._stopped_by_ctrl_c() as presses,
            closing(stream),
            own_budget(self.conversation) as budget,
            TurnView(
                self.terminal,
                show=self.show,
                budget=budget,
                calls=self._calls,
                again=again,
                max_tokens=self.conversation.max_tokens,
            ) as view,
            listening(self.terminal, view.press),
        ):
            self.conversation.on_prefill = view.reading
            if self._calls:
                self._calls.interrupted = presses.any
            self.last_reply = view.play(events)
            self.thoughts = unfolded(self.last_reply) or (
                "" if self.show.private else self.thoughts
            )
        tell_notes(self.llm, self.terminal)
        kept = len(self.conversation.messages) > messages
        if again.other is not None and not presses.count:
            if kept:
                self.conversation.undo()
            return self._play(text, typed, again.other)
        if kept:
            self._switches = ""
            self._keep_for_the_next_time()
            self._sum_up(text, cover.reply)
        return kept

    @contextmanager
    def _taken_back_after_errors(self) -> Iterator[None]:
        """A turn that cannot be shown to its end is not kept as far as it was."""
        messages = len(self.conversation.messages)
        try:
            yield
        except Qwen3Error:
            if len(self.conversation.messages) > messages:
                self.conversation.undo()
            raise

    @contextmanager
    def _stopped_by_ctrl_c(self) -> Iterator[Presses]:
        """Lets Ctrl-C stop the turn, and notes that it did, also where a second press ends it."""
        with stop_on_interrupt(self.conversation.stop) as presses:
            try:
                yield presses
            finally:
                self._interrupted = presses.count > 0

    def _sum_up(self, question: str, reply: Reply | None) -> None:
        if reply is None or self.show is not Show.SUMMARY:
            return
        summary = summary_of(self.llm, self.terminal, question, reply)
        if summary:
            self.conversation.messages[-1]["summary"] = summary
            self.terminal.aside(f"summary: {summary}")
            self._keep_for_the_next_time()

    def _keep_for_the_next_time(self) -> None:
        if self._keep:
            try:
                transcripts.save(keeping.transcript_of(self), state_path(transcripts.LAST))
            except Qwen3Error as error:
                self._keep = False
                self.terminal.error(error)

    def _warn_of_leaving(self) -> None:
        self._interrupted = True
        self.terminal.aside("Ctrl-C once more leaves, and so does Ctrl-D")

    def _take(self, line: str) -> None:
        self._suggestion = ""
        try:
            self._act_on(line)
        except Qwen3Error as error:
            self.terminal.error(error)
            self._exit_code = 0 if self.terminal.conversational else error.exit_code
        if self.terminal.conversational:
            self.terminal.say()

    def _act_on(self, line: str) -> None:
        if is_command(line):
            run_command(line, self)
        elif line.strip():
            self.send(unescaped(line))

    @property
    def thinks(self) -> Thinking:
        """Whether the next turn thinks, if nothing in its message says otherwise."""
        return self.conversation.thinks_after(find_switch(self._switches))

    def _toggle(self) -> None:
        self.switch("/no_think" if self.thinks else "/think")
        if self._switches == "/think":
            self.conversation.thinking = True

    def _toolbar(self) -> str:
        conversation = self.conversation
        return wording.toolbar(
            clean_line(self.model),
            wording.next_turn(conversation, self.thinks),
            used=conversation.context_used,
            context=conversation.context_length,
            width=self.terminal.console.width,
        )


def _last_thoughts(messages: Sequence[Message]) -> str:
    """What the model thought in the last turn of these."""
    turn = takewhile(lambda message: message["role"] != "user", reversed(messages))
    parts = [message.get("reasoning_content") for message in turn]
    return "\n\n".join(part.strip() for part in reversed(parts) if part)
