"""Attack: chats of thousands of turns, with random messages and every command.

    python -m tests.trust.long_chats --count 20000

So many turns with a network that follows a script, and a fortieth of them with the bundled model,
each in a process of its own that does nothing else; see `long_played`. Afterwards a second, naive
chat takes the same lines: what was saved must be its messages exactly, what was refused must be
what it refuses, and after the last turn the process must hold what it held after half of them: what
fills at first, and then no more, is no leak.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path
from threading import Event as Flag

from qwen3_mlx.generation.thinking import AutoBudget
from qwen3_mlx.loading import load
from tests.trust.chat_lines import make_files
from tests.trust.holding import Weight
from tests.trust.long_played import CONTEXT, SEED, Record, told
from tests.trust.plain_chat import PlainChat
from tests.trust.plain_turns import Kept, Load
from tests.trust.scripted import Loader
from tests.trust.tally import Tally, main

TURNS = 20_000
SHARE = 40
"""Turns with a script for one with the bundled model."""

KINDS = ("scripted", "tiny")
GROWTH = 0.05
WEIGHED = 4
"""Times: after a fifth of each of the two chats, and at its end."""
PLAYER = "tests.trust.long_played"
TRANSCRIPT = "another transcript"
REFUSED = "refused otherwise"
MEMORY = "memory grown"
LEFT = "handles or threads left over"
COUNTED = ("handles", "threads")


def attack(count: int, seed: int) -> Tally:
    """Both kinds of chats."""
    tally = Tally()
    for kind, turns in zip(KINDS, (count, max(10, count // SHARE)), strict=True):
        tally.add(played(kind, turns, seed))
    return tally


def played(kind: str, turns: int, seed: int, player: str = PLAYER) -> Tally:
    """One kind, so many turns, in a process of its own."""
    trial = Trial(Tally(), kind, f"{kind}, {turns} turns, --seed {seed}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_files(folder)
        saved = {str(path): kept(path.read_text("utf-8")) for path in folder.glob("saved?.json")}
        command = [sys.executable, "-m", player, kind, str(turns), str(seed), name]
        with (folder / "errors.txt").open("w+") as errors:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
            with process as running:
                weights = compare(trial, map(told, running.stdout or ()), saved)
            errors.seek(0)
            if process.returncode:
                trial.tally.fell("ended", f"{trial.name}: {errors.read()[-400:]}")
    weigh(trial, weights)
    return trial.tally


@dataclass(frozen=True)
class Trial:
    """One kind of chats, and what repeats them."""

    tally: Tally
    kind: str
    name: str


def compare(trial: Trial, played: Iterable[Record], saved: dict[str, Kept]) -> list[Weight]:
    """What came of a chat, against what should have, up to the first difference.

    Returns:
        What the process weighed.
    """
    stop, weights = Flag(), list[Weight]()
    loader = loader_of(trial.kind, stop)
    chat: PlainChat | None = None
    fallen = False
    for number, record in enumerate(played):
        weights += [record.weight] if record.weight else []
        if record.begins:
            chat = begun(record.begins, loader, stop, chat, saved)
        elif record.lines and chat is not None and not fallen:
            fallen = take(trial, number, chat, record)
    return weights


def take(trial: Trial, number: int, chat: PlainChat, record: Record) -> bool:
    """One entry; whether something fell."""
    wrong = differences(chat, record)
    for outcome, times in Counter(chat.outcomes).items():
        trial.tally.held(f"{trial.kind}: {outcome}", times)
    chat.outcomes.clear()
    if wrong:
        what = f"entry {number}, {record.lines!r:.200}: {wrong[1]}"
        trial.tally.fell(wrong[0], f"{trial.name}: {what}")
    elif record.written is not None:
        trial.tally.held(f"{trial.kind}: files as they should be")
    return wrong is not None


def weigh(trial: Trial, weights: Sequence[Weight]) -> None:
    """What the process held, and whether it grew."""
    if len(weights) < WEIGHED:
        return  # it ended before
    for outcome, what in grown(weights[1], weights[-1]):
        trial.tally.fell(outcome, f"{trial.name}: {what}")
    figures = {f"{trial.kind}: {name}": value for name, value in weighed(weights).items()}
    trial.tally.figures |= figures


def differences(chat: PlainChat, record: Record) -> tuple[str, str] | None:
    """What fell and how, once the naive chat has taken the same entry."""
    errors = chat.take(record.lines, record.letters)
    if errors != len(record.errors):
        return REFUSED, f"{record.errors} and not {errors} errors"
    if record.written is None or errors:
        return None
    chosen, messages = chat.transcript()
    if record.lines[0].startswith("/export"):
        missing = [m["content"] for m in messages if not is_in(record.written, m["content"])]
        return ("not exported", f"{missing[0]!r:.200}") if missing else None
    ours, naive = kept(record.written), ({n: text_of(b) for n, b in chosen.items()}, messages)
    return None if ours == naive else (TRANSCRIPT, first_difference(ours, naive))


def is_in(text: str, said: str) -> bool:
    """Whether a text holds what was said, line by line."""
    return all(line.strip() in text for line in said.split("\n"))


def text_of(budget: object) -> object:
    """A budget as it is saved."""
    return str(budget) if isinstance(budget, AutoBudget) else budget


def kept(text: str) -> Kept:
    """A saved conversation."""
    data = json.loads(text)
    return {name: data[name] for name in data if name == "budget"}, data["messages"]


def first_difference(ours: Kept, naive: Kept) -> str:
    """For people."""
    if ours[0] != naive[0]:
        return f"{ours[0]} and not {naive[0]}"
    pairs = [*zip(ours[1], naive[1], strict=False)]
    pair = next(((a, b) for a, b in pairs if a != b), None)
    lengths = f"{len(ours[1])} messages and not {len(naive[1])}"
    return f"{pair!r:.600}" if pair else lengths


def begun(
    how: str, load: Load, stop: Flag, before: PlainChat | None, saved: dict[str, Kept]
) -> PlainChat:
    """A chat as it begins; the second one goes on with what was kept of the first."""
    sampling = {"seed": SEED}
    chat = PlainChat(load, stop, how == "person", "tiny", CONTEXT, sampling, saved=saved)
    if before is not None:
        chat.exported = before.exported
        if before.last is not None:
            chat.restore(before.last)
    return chat


def loader_of(kind: str, stop: Flag) -> Load:
    """Models of one kind for the naive chat."""
    if kind == "scripted":
        scripted = Loader(stop.set)
        return lambda name, context: scripted.load(name, context=context)
    return cache(lambda name, context: load(name, context=context, offline=True))


def grown(half: Weight, end: Weight) -> Iterator[tuple[str, str]]:
    """What the process holds more of at the end than after half of the turns."""
    for name, first, last in changes(half, end):
        allowed, outcome = (0.0, LEFT) if name in COUNTED else (GROWTH, MEMORY)
        if last - first > allowed * first:
            yield outcome, f"{name}: {first:,} became {last:,}"


def changes(first: Weight, last: Weight) -> Iterator[tuple[str, int, int]]:
    """Name and both numbers of each part."""
    yield from zip(Weight.__annotations__, astuple(first), astuple(last), strict=True)


def weighed(weights: Sequence[Weight]) -> dict[str, str]:
    """What the process held after a tenth of the turns, half of them, and all."""
    tenth, half, _, end = weights
    return {
        f"{name}, after a tenth, half and all": (
            f"{early:,} {first:,} {last:,} ({last / first - 1:+.1%})"
        )
        for early, (name, first, last) in zip(astuple(tenth), changes(half, end), strict=True)
    }


if __name__ == "__main__":
    main(attack, TURNS)
