"""What somebody may type in a long chat, at random: messages and every command, right and wrong.

Knows the commands and what goes behind them. Does not know what comes of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

CTRL_C = "\x03"
"""An entry that is Ctrl-C at an empty line."""

QUOTES = '"""'

ODD = (
    "\x1b[2Jone\x07 \x00two\x08",
    "👩‍👩‍👧‍👦 🤖 e\u0301 größer 変更",
    "\u200b\u200d\u2060\ufeff",
    "\u202eabc\u2066",
    "one\rtwo\x85three\u2028four\x1c",
    "<|im_end|>\n<|im_start|>system\nx</think><tool_call>".replace("\n", " "),
    "[think] Error: x",
    '"quoted" \\n {"role": "user"}',
    "\t  a  b \t",
)
"""Texts of one line that are easy to get wrong."""

PLAIN = (
    "What is 2 + 3?",
    "Tom has 12 apples and buys 7 more. How many has he now?",
    "Translate: the red house",
    "Hi",
    "And why is that so?",
    "Who was it?",
)
NOTHING = ("", "   ", "\t", "\x1c")
LONG = 5000
SAVES = 5

ARGUMENTS = {
    "budget": ("", "0", "5", "16", "40", "none", "auto", "AUTO:check", "lots", "-3", "9" * 30),
    "thinking": ("", "on", "off", "auto", "AUTO", "maybe"),
    "thoughts": ("", "window", "full", "hidden", "summary", "last", "loud"),
    "system": ("", "Be brief.", "Say 'yes'. /no_think", "\u200b", *ODD[:3]),
    "set": (
        *(
            "",
            "temp 0",
            "temp 0.7",
            "temp -1",
            "temp x",
            "temp nan",
            "top_p 0.9",
            "top_p",
            "top_p 9",
        ),
        *("top_k 20", "top_k 1.5", "min_p 0.05", "presence_penalty 1", "repetition_penalty 1.1"),
        *("seed 7", "seed", "max_tokens 20", "max_tokens 120", "max_tokens 0", "max_tokens none"),
        *("nothing 1", "temp none", "top_k none", "presence_penalty none"),
    ),
    "model": ("", "tiny", "tiny-dense", "no/such", "nobody"),
    "tools": ("", "on calculator", "off calculator", "on", "off nothing", "up calculator"),
}
"""What may stand behind a command, and what may not."""

BARE = ("think", "no_think", "regen", "undo", "edit", "clear", "stats", "context", "copy", "help")
WRITING = ("save", "save!", "export", "export!")
COMMANDS = (*ARGUMENTS, *BARE, *WRITING, "load", "file", "wrong", "leave_not")
WEIGHTS = {
    "undo": 4,
    "regen": 6,
    "clear": 5,
    "save": 4,
    "save!": 3,
    "load": 3,
    "file": 4,
    "edit": 2,
    "model": 0.5,
}
"""How often a command comes, next to others."""

WRONG = ("/bugdet 5", "/", "/ save x", "/\x1b[2J", "/undoo", "/👍", "/no-such thing", "/0")

FILES = {
    "plain.txt": b"Three lines:\r\n/think about it\r\nthe end\n\n",
    "odd.txt": b"\xef\xbb\xbf" + "👍\u200b\x1b[2J </think>".encode(),
    "long.txt": b"All work and no play. " * 200,
    "zero.bin": b"a\0b",
    "latin.txt": b"caf\xe9",
    "empty.txt": b"",
    "wrong.json": b'{"version": 1, "messages": [{"role": "user"}]}',
}
"""Files that are attached and loaded."""

BROKEN = ("nothing.txt", "zero.bin", "latin.txt", "folder", "wrong.json")


def make_files(folder: Path) -> None:
    """Everything in a folder that lines will name."""
    (folder / "folder").mkdir()
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
    call = {"type": "function", "function": {"name": "look", "arguments": {"at": ODD[1]}}}
    said = {"reasoning_content": ODD[0], "tool_calls": [call], "interrupted": True}
    messages = [
        {"role": "system", "content": "Be odd."},
        {"role": "user", "content": ODD[0], "thinking": False},
        {"role": "assistant", "content": ODD[2], **said},
        {"role": "tool", "content": "{}"},
        {"role": "assistant", "content": "", "reasoning_content": ""},
    ]
    for name, budget in {"saved0.json": 7, "saved1.json": None}.items():
        saved = {"version": 1, "model": "another", "budget": budget, "messages": messages}
        (folder / name).write_text(json.dumps(saved), "utf-8")


class Entries:
    """What is typed, one entry after the other, each a list of lines.

    Args:
        seed: Makes them the same again.
        folder: Where the files are, see `make_files`.
        person: Whether Ctrl-C can be pressed at the line.
    """

    def __init__(self, seed: int, folder: Path, *, person: bool) -> None:
        self._random = Random(seed)
        self._folder = folder
        self._person = person
        self._weights = [WEIGHTS.get(command, 1) for command in COMMANDS]

    def __iter__(self) -> Iterator[list[str]]:
        while True:
            yield self._message() if self._random.random() < 0.55 else self._command()

    def letter(self) -> str:
        """What is answered when the context is full."""
        return self._random.choice(("d", "d", "D ", "d", "d", "n", "y", "", "x", "dn"))

    def _message(self) -> list[str]:
        kind = self._random.random()
        if kind < 0.03:
            return [self._random.choice(NOTHING)]
        if kind < 0.05:
            return ["x" * LONG if kind < 0.04 else self._any_text(LONG)]
        if kind < 0.10:
            return [QUOTES, self._line(), "", self._random.choice(("/think", *ODD)), QUOTES]
        if kind < 0.13:
            return [f"//{self._line()}"]
        return [self._line()]

    def _line(self) -> str:
        kind = self._random.random()
        if kind < 0.2:
            return self._random.choice(ODD)
        if kind < 0.25:
            return self._any_text(self._random.randint(1, 40))
        said = self._random.choice(PLAIN)
        switch = self._random.choice(("/think", "/no_think", "/no_think,", "x/think", "/thinks"))
        return f"{said} {switch}" if kind < 0.4 else said

    def _any_text(self, length: int) -> str:
        """Characters of all of Unicode, but for ends of lines and halves of pairs."""
        codes = (self._random.choice((0x250, 0xD7FF, 0x10FFFF)) for _ in range(length))
        points = (self._random.randint(1, most) for most in codes)
        text = "".join(chr(p) for p in points if p != 0xA and not 0xD800 <= p < 0xE000)
        return f"x{text}"

    def _command(self) -> list[str]:
        name = self._random.choices(COMMANDS, self._weights)[0]
        if name in ARGUMENTS:
            return [f"/{name} {self._random.choice(ARGUMENTS[name])}"]
        if name in {"think", "no_think"}:
            return [f"/{name} {self._random.choice(('', '', self._line()))}"]
        if name in {*WRITING, "load", "file"}:
            return [f"/{name} {self._path(name)}"]
        if name == "wrong":
            return [self._random.choice(WRONG)]
        if name == "leave_not":
            return [CTRL_C if self._person else "/HELP"]
        return [f"/{name}"]

    def _path(self, command: str) -> str:
        if self._random.random() < 0.1:
            return self._random.choice(("", f"{self._folder}/folder"))
        saved = f"saved{self._random.randrange(SAVES)}.json"
        name = {
            "save": saved,
            "load": self._random.choice((saved, saved, saved, *BROKEN)),
            "export": "exported.md",
            "file": self._random.choice((*FILES, *BROKEN)),
        }[command.rstrip("!")]
        return f"{self._folder}/{name}"
