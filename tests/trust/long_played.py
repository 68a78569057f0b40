"""A long chat in a process of its own: who types, and what is noted of it.

    python -m tests.trust.long_played KIND TURNS SEED FOLDER

Plays the chat of `qwen3-mlx chat` twice: first as to a person, whose last conversation is kept,
then, going on with that, through a pipe. What was typed and what came of it goes to standard
output, a line of JSON for each entry. Does not know what should have come of it.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from unittest import mock

import qwen3_mlx
from qwen3_mlx.cli import chat
from qwen3_mlx.cli.options import Settings
from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.cli.tool_options import ToolWishes
from qwen3_mlx.loading import load
from tests.trust.chat_lines import CTRL_C, Entries
from tests.trust.holding import Weight, weigh
from tests.trust.plain_chat import VALUES
from tests.trust.scripted import Loader

CONTEXT = 512
SEED = 1
TOOLS = ToolWishes("calculator", allow="all")
QUESTION = "(YaRN):"
PATIENCE = 60.0
RESET = (
    *("/model no/such", "/thinking auto", "And why is that so?"),  # to load what is loaded once
    *(
        "/model tiny-dense",
        "/model tiny",
        "/thoughts window",
        "/thinking on",
        "/budget 16",
        "/system Be brief.",
    ),
    *(f"/set {name} none" for name in VALUES),
    "/tools off calculator",
    *("Hello.", "/clear", "Hello."),
)
"""Ends in a conversation that is the same each time."""


@dataclass
class Record:
    """One entry, and what came of it.

    Attributes:
        lines: That were typed.
        letters: Answered when the context was full.
        errors: That were shown, a line of each.
        written: What is in the file that was named, if the entry asks for one to be written.
        weight: Of the process after it, where it was weighed.
        begins: `person` or `pipe` where a chat begins.
    """

    lines: list[str]
    letters: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    written: str | None = None
    weight: Weight | None = None
    begins: str = ""


class Screen(io.StringIO):
    """Takes what is shown."""

    def __init__(self, *, person: bool) -> None:
        super().__init__()
        self._person = person

    def isatty(self) -> bool:
        return self._person

    def wipe(self) -> None:
        """Forgets it."""
        self.seek(0)
        self.truncate()


class Typist(io.StringIO):
    """Stands in for standard input.

    Args:
        entries: What is typed.
        turns: After so many messages it says the same as always, is weighed, saves and leaves.
        weigh_at: After so many messages it is weighed too.
        folder: Where the last conversation is saved.
        note: Takes the records.
    """

    def __init__(
        self,
        entries: Entries,
        *,
        turns: int,
        weigh_at: int,
        folder: Path,
        person: bool,
        note: Callable[[Record], None],
    ) -> None:
        super().__init__()
        self.shown, self.asides = Screen(person=person), Screen(person=False)
        self._person = person
        self._letter = entries.letter
        self._note = note
        self._left: list[str] = []
        self._record = Record([], begins="person" if person else "pipe")
        self._script = self._entries(entries, turns, weigh_at, folder)

    def isatty(self) -> bool:
        return self._person

    def readline(self, _size: int = -1, /) -> str:  # type: ignore[override]
        """The next line, or a letter where one is asked for."""
        if self.asides.getvalue().rstrip().endswith(QUESTION):
            letter = self._letter()
            self._record.letters.append(letter)
            self.asides.write("\n")
            return f"{letter}\n"
        if not self._left:
            self._next()
        line = self._left.pop(0)
        if line == CTRL_C:
            raise KeyboardInterrupt
        return f"{line}\n"

    def finish(self) -> None:
        """Notes the last entry."""
        told = self.asides.getvalue().split("\n")
        self._record.errors = [line for line in told if line.startswith("Error: ")]
        self._record.written = _written(self._record.lines[0]) if self._record.lines else None
        self._note(self._record)

    def _next(self) -> None:
        settle_threads()
        self.finish()
        self.shown.wipe()
        self.asides.wipe()
        self._left = [*next(self._script)]
        self._record = Record([*self._left])

    def _entries(
        self, entries: Iterable[list[str]], turns: int, weigh_at: int, folder: Path
    ) -> Iterator[list[str]]:
        said = 0
        for entry in entries:
            if said in {weigh_at, turns}:
                yield from ([line] for line in RESET)
                self._note(Record([], weight=weigh()))
                said += 1
            if said > turns:
                break
            if entry == [CTRL_C]:  # after a stopped turn, or a second time, it would leave
                yield ["/context"]
            yield entry
            said += is_turn(entry[0])
        yield [f"/save! {folder}/end.json"]
        yield ["/exit"]


def is_turn(line: str) -> bool:
    """Whether the model is asked something."""
    if line.startswith(("/think ", "/no_think ")):
        return bool(line.partition(" ")[2].strip())
    return bool(line.strip()) and (not line.startswith("/") or line.startswith(("//", "/regen")))


def _written(line: str) -> str | None:
    command, _, name = line.partition(" ")
    path = Path(name)
    if command.rstrip("!") not in {"/save", "/export"} or not path.is_file():
        return None
    return path.read_bytes().decode()


def settle_threads() -> None:
    """Waits for what reads ahead and what stops a turn."""
    for thread in threading.enumerate():
        if thread.name.endswith(("(_read)", "(stop)")):
            thread.join(timeout=PATIENCE)


def press_ctrl_c() -> None:
    """As a person does; returns when it has had its effect."""
    if threading.current_thread() is threading.main_thread():
        signal.raise_signal(signal.SIGINT)
        settle_threads()


def play(kind: str, turns: int, seed: int, folder: Path) -> None:
    """Both chats, half of the turns each.

    Args:
        kind: `scripted`, or `tiny` for the bundled model itself.
        turns: Messages in all.
        seed: Of what is typed.
        folder: With the files that are named.
    """
    loaded = Loader(press_ctrl_c).load if kind == "scripted" else load
    with (
        mock.patch.dict(os.environ, {"XDG_STATE_HOME": str(folder / "state"), "TERM": "xterm"}),
        mock.patch.dict(vars(qwen3_mlx), load=loaded),
    ):
        for person in (True, False):
            entries = Entries(seed + person, folder, person=person)
            half = turns // 2
            typist = Typist(
                entries, turns=half, weigh_at=half // 5, folder=folder, person=person, note=tell
            )
            _talk(typist, person=person)


def _talk(typist: Typist, *, person: bool) -> None:
    terminal = Terminal(typist, typist.shown, typist.asides, plain=True)
    settings = Settings(model="tiny", context=CONTEXT, seed=SEED, offline=True)
    code = chat.run(settings, terminal, resume=not person, keep=True, tools=TOOLS)
    typist.finish()
    if person and code:
        raise RuntimeError(f"a person's chat ended with {code}")


def tell(record: Record) -> None:
    """Writes a record to standard output."""
    sys.stdout.write(f"{json.dumps(asdict(record))}\n")


def told(line: str) -> Record:
    """The record in a line."""
    data = json.loads(line)
    weight = data.pop("weight")
    return Record(**data, weight=weight and Weight(**weight))


if __name__ == "__main__":
    play(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
