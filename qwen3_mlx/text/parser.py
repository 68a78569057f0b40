"""Sort the ids of a reply into thoughts, answer and tool calls, as they come.

Knows the control tokens that structure a reply, and follows their ids: what the text spells
never matters. Does not know how ids are made, nor budgets.

Choices, where the model does what it was not trained to do:
- Only the first id of a reply can be the `<think>` that opens its block. A thinking tag out of
  its place and any other control token are shown as the text they spell; ids that end a reply
  are not shown.
- A tool call that cannot be read, or that the reply breaks off in, is answer text, tags and
  all: nothing the model said is lost. Where tools are offered it is first mended, if it can mean
  only one thing, and may be kept apart: see `BrokenCalls`.
- Newlines around the thoughts, before the answer and before a tool call belong to the format
  and are dropped; those at the end of the reply are the model's and stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from qwen3_mlx.events import ToolCall
from qwen3_mlx.text.backend import END_TOOL_CALL, TOOL_CALL
from qwen3_mlx.text.calls import BrokenCall, read_call
from qwen3_mlx.text.renderer import Block
from qwen3_mlx.text.tokenizer import Tokenizer

Kind: TypeAlias = Literal["thinking", "answer", "tool_call"]
BrokenCalls: TypeAlias = Literal["shown", "mended", "apart"]
"""What becomes of a call that cannot be read. `shown`: it is answer text; `mended`: it is mended,
if that is clear, else answer text; `apart`: it is mended, else kept out of the answer."""


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of a reply that has just become known.

    Attributes:
        kind: What it belongs to.
        text: The characters to show; of a tool call, its JSON as the model wrote it.
        call: The call, when `kind` is `tool_call`.
    """

    kind: Kind
    text: str
    call: ToolCall | None = None


class ReplyParser:
    """Reads one reply, id by id.

    Args:
        tokenizer: Made the ids.
        block: How the prompt leaves the thinking block (see `template.thinking_block`).
        broken: What becomes of calls that cannot be read.

    Attributes:
        kind: What the next ordinary id belongs to.
        tool_calls: The complete calls so far.
        broken_calls: What was to be a call, where such are kept apart.
    """

    def __init__(
        self, tokenizer: Tokenizer, block: Block = "absent", broken: BrokenCalls = "shown"
    ) -> None:
        self.kind: Kind = "thinking" if block == "open" else "answer"
        self.tool_calls: list[ToolCall] = []
        self.broken_calls: list[BrokenCall] = []
        self._broken = broken
        self._may_open = block == "absent"
        self._tokenizer = tokenizer
        self._stream = tokenizer.stream_decoder()
        self._shown: dict[Kind, list[str]] = {"thinking": [], "answer": []}
        self._begun = False  # something but newlines has been shown in this part
        self._newlines = 0  # seen, and held back until it is known what follows
        self._call: list[str] = []

    @property
    def thinking(self) -> str:
        """The thoughts so far: the texts of the `thinking` deltas."""
        return "".join(self._shown["thinking"])

    @property
    def answer(self) -> str:
        """The answer so far: the texts of the `answer` deltas."""
        return "".join(self._shown["answer"])

    def push(self, token: int) -> list[Delta]:
        """What `token` adds to the reply: often one delta, sometimes none or two."""
        may_open, self._may_open = self._may_open, False
        if may_open and token == self._tokenizer.control.think:
            return self._enter("thinking")
        if not self._tokenizer.is_control(token):
            return self._show(self._stream.push(token))
        broken_off = self._show(self._stream.flush())
        return broken_off + self._structure(token)

    def flush(self, *, cut_off: bool = False) -> list[Delta]:
        """What is left once the reply has ended, also in the middle of something.

        Args:
            cut_off: The model had more to say: a call without its end is no call.
        """
        deltas = self._show(self._stream.flush())
        if self.kind == "tool_call":
            deltas += self._end_call(cut_off=cut_off)
        if self.kind == "answer" and not (self.tool_calls or self.broken_calls):
            deltas += self._emit("\n" * self._newlines)
        self._newlines = 0
        return deltas

    def _structure(self, token: int) -> list[Delta]:
        control = self._tokenizer.control
        if token == control.end_think and self.kind == "thinking":
            return self._enter("answer")
        if token == control.tool_call and self.kind != "tool_call":
            return self._enter("tool_call")
        if token == control.end_tool_call and self.kind == "tool_call":
            return self._read_call(END_TOOL_CALL)
        if token in self._tokenizer.eos_ids:
            return []
        return self._show(self._tokenizer.decode([token]))

    def _enter(self, kind: Kind) -> list[Delta]:
        # A call in the answer may turn out to be text: then the newlines before it count.
        if not (self.kind == "answer" and kind == "tool_call"):
            self._begun, self._newlines = False, 0
        self._call.clear()
        self.kind = kind
        return []

    def _show(self, text: str) -> list[Delta]:
        """Add text to the part that is open; newlines wait until something follows them."""
        if self.kind == "tool_call":
            self._call.append(text)
            return []
        if not self._begun:
            text = text.lstrip("\n")
        visible = text.rstrip("\n")
        held, self._newlines = self._newlines, len(text) - len(visible)
        if not visible:
            self._newlines += held
            return []
        return self._emit("\n" * held + visible)

    def _emit(self, text: str) -> list[Delta]:
        if not text:
            return []
        self._begun = True
        self._shown[self.kind].append(text)
        return [Delta(self.kind, text)]

    def _end_call(self, *, cut_off: bool) -> list[Delta]:
        """The reply has ended inside a call."""
        if self._broken == "shown":
            return self._spell_call()
        if cut_off:
            return self._refuse(BrokenCall("".join(self._call), "it breaks off"))
        return self._read_call()

    def _read_call(self, end: str = "") -> list[Delta]:
        text = "".join(self._call)
        call = read_call(text, repairing=self._broken != "shown")
        if isinstance(call, BrokenCall):
            return self._refuse(call, end)
        self._leave_call()
        self.tool_calls.append(call)
        return [Delta("tool_call", text.strip(), call)]

    def _refuse(self, call: BrokenCall, end: str = "") -> list[Delta]:
        if self._broken != "apart":
            return self._spell_call(end)
        self._leave_call()
        self.broken_calls.append(call)
        return []

    def _leave_call(self) -> None:
        self.kind, self._begun, self._newlines = "answer", bool(self._shown["answer"]), 0

    def _spell_call(self, end: str = "") -> list[Delta]:
        """Give what looked like a call back as answer text."""
        self.kind = "answer"
        return self._show(TOOL_CALL + "".join(self._call) + end)
