"""A second, naive chat: what docs/chat.md says that each command means for the messages.

Knows commands, by methods that are named after them. Has no screen, and no files but those that it
attaches; what is saved it keeps by the file's name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import TypeVar

from qwen3_mlx.errors import Qwen3Error
from qwen3_mlx.generation.thinking import AUTO, parse_auto
from tests.trust.chat_lines import CTRL_C
from tests.trust.plain_turns import PRIVATE, SWITCHES, PlainTurns, RefusedError

T = TypeVar("T")

VALUES = {
    **dict.fromkeys(("temp", "top_p", "min_p", "presence_penalty", "repetition_penalty"), float),
    **dict.fromkeys(("top_k", "seed", "max_tokens"), int),
}
SHOWN = {name: name for name in ("window", "full", *PRIVATE)}
MODES: dict[str, bool | str] = {"on": True, "off": False, "auto": "auto"}


class PlainChat(PlainTurns):
    """One chat."""

    def take(self, lines: Sequence[str], letters: Sequence[str]) -> int:
        """One entry; how many errors it is told with.

        Args:
            lines: That were typed.
            letters: What was answered when the context was full.
        """
        self.errors, self.letters = 0, iter(letters)
        try:
            self._take(lines)
        except RefusedError:
            self.errors += 1
        return self.errors + len([*self.letters])  # a letter that nobody asked for is wrong, too

    def _take(self, lines: Sequence[str]) -> None:
        line = lines[0]
        if line == CTRL_C:
            return
        if len(lines) > 1:
            self._send("\n".join(lines[1:-1]).strip("\n"))
        elif line.startswith("//"):
            self._send(line[1:])
        elif line.startswith("/"):
            self._command(line[1:])
        elif line.strip():
            self._send(line)

    def _command(self, line: str) -> None:
        name, _, argument = line.partition(" ")
        do = getattr(self, f"_do_{name.strip().lower().replace('!', '_over')}", None)
        if do is None:
            raise RefusedError
        do(argument.strip())

    def _do_think(self, text: str, word: str = "/think") -> None:
        self.thinking = True if word == "/think" else self.thinking
        self.switch = SWITCHES[word]
        if text:
            self._send(text)

    def _do_no_think(self, text: str) -> None:
        self._do_think(text, "/no_think")

    def _do_thinking(self, how: str) -> None:
        if how:
            self.thinking = found(MODES, how.lower())
            self.switch = None
            for message in self.messages:
                message.pop("thinking", None)

    def _do_budget(self, text: str) -> None:
        word = text.lower()
        if word.startswith(AUTO):
            self.budget, self.given = parse_auto(word), True
        elif word and word != "none" and not (word.isdigit() and len(word) < 16):
            raise RefusedError
        elif word:
            self.budget, self.given = (None if word == "none" else int(word)), True

    def _do_thoughts(self, how: str) -> None:
        if how and how != "last":
            self.shown = found(SHOWN, how)

    def _do_system(self, text: str) -> None:
        if text:
            self.system = text
            others = [m for m in self.messages if m["role"] != "system"]
            self.messages = [{"role": "system", "content": text}, *others]

    def _do_regen(self, _: str) -> None:
        turn = self._undone()
        question = turn[0]
        switch = question.get("thinking") if self.switch is None else self.switch
        kept = False
        try:
            kept = self._say(question["content"], "", switch)
        finally:
            if not kept:
                self.messages += turn

    def _do_undo(self, _: str) -> None:
        self._undone()

    def _do_edit(self, _: str) -> None:
        self._undone()

    def _do_clear(self, _: str) -> None:
        self.clear()
        self.files = []

    def _do_set(self, argument: str) -> None:
        name, _, text = argument.partition(" ")
        if not name:
            return
        before = self.max_tokens, self.sampling
        kind = found(VALUES, name)
        try:
            value = None if text == "none" else kind(text)
            if name == "max_tokens":
                self.max_tokens = value
            else:
                self.sampling = {**self.sampling, name: value}
            self._llm().check(self._request([], self._mode(self.messages) is not False))
        except (ValueError, Qwen3Error) as error:
            self.max_tokens, self.sampling = before
            raise RefusedError from error

    def _do_model(self, name: str) -> None:
        if name:
            self._reload(name, self.context)

    def _do_tools(self, argument: str) -> None:
        how, _, name = argument.partition(" ")
        if how:
            on = found({"on": True, "off": False}, how)
            found({"calculator": True}, name)
            self.tools = on

    def _do_save(self, name: str) -> None:
        if name in self.saved and name not in self.own:
            raise RefusedError
        self._do_save_over(name)

    def _do_save_over(self, name: str) -> None:
        if not name or Path(name).is_dir():
            raise RefusedError
        self.saved[name] = deepcopy(self.transcript())
        self.own.add(name)

    def _do_export(self, name: str) -> None:
        if name in self.exported and name not in self.own:
            raise RefusedError
        self._do_export_over(name)

    def _do_export_over(self, name: str) -> None:
        if not name or Path(name).is_dir():
            raise RefusedError
        self.exported.add(name)
        self.own.add(name)

    def _do_load(self, name: str) -> None:
        self.restore(found(self.saved, name))
        self.own.add(name)

    def _do_file(self, name: str) -> None:
        path = Path(name)
        if not name or not path.is_file():
            raise RefusedError
        try:
            text = path.read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise RefusedError from error
        if "\0" in text:
            raise RefusedError
        text = text.replace("\r\n", "\n").strip("\n")
        self.files.append(f"{name}:\n\n{text}")

    def _do_copy(self, _: str) -> None:
        if not self.person or not self.messages or self.messages[-1]["role"] != "assistant":
            raise RefusedError

    def _do_nothing(self, _: str) -> None:
        """Shows something."""

    _do_stats = _do_context = _do_help = _do_exit = _do_nothing


def found(table: Mapping[str, T], word: str) -> T:
    """What a word stands for.

    Raises:
        RefusedError: For nothing.
    """
    if word not in table:
        raise RefusedError
    return table[word]
