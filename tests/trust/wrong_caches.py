"""Wrong files in the place of saved prompts: none is accepted, each is rebuilt with a note.

    python -m tests.trust.wrong_caches --count 10000

Every kind of :mod:`tests.trust.cache_kinds` takes the place of a file that a model saved: its own
file, damaged, or that of a model that differs in one thing. The next process must answer as if
there were no such file, say so, and leave the right one. A model that was changed in its folder
must find nothing. `--count` counts the damages at random that are tried besides.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import mlx.core as mx

from qwen3_mlx import load
from qwen3_mlx.bundled import bundled_path
from qwen3_mlx.checkpoint.prompt_file import Block
from qwen3_mlx.checkpoint.prompt_store import PromptStore
from qwen3_mlx.convert.manifest import MANIFEST
from tests.trust.cache_kinds import CHANGES, DAMAGES, Damage, another_version, ids_of
from tests.trust.random_damage import damage_at_random
from tests.trust.tally import Tally, main

RANDOM = 10_000
SYSTEM, OTHER_SYSTEM, QUESTION = "Be brief and kind.", "Be kind and brief.", "What is 2 + 3?"
NOTE = "a saved cache was damaged and is rebuilt: "

As = Callable[[], AbstractContextManager[object]]
"""How a process runs otherwise than usual."""


@dataclass(frozen=True)
class Run:
    """What a process said, how many ids it took from saved prompts, and what it noted."""

    said: str
    cached: int
    notes: list[str]


def run(model: Path, home: Path, system: str = SYSTEM, **how: Any) -> Run:
    """A process, as far as saved prompts can tell: everything is loaded anew.

    Args:
        model: Its folder.
        home: Saved prompts are in a folder of it.
        system: What the prompt begins with.
        how: See `load`.
    """
    with saved_in(home):
        llm = load(str(model), save_cache=True, **how)
        reply = llm.generate(QUESTION, system=system, thinking=False, max_tokens=6)
        return Run(reply.answer, reply.usage.cached_tokens, _finished(llm.prompts).take_notes())


@contextmanager
def saved_in(home: Path) -> Iterator[None]:
    """The cache folder of the person is `home` while the context lasts."""
    with patch.dict(os.environ, {"XDG_CACHE_HOME": str(home)}):
        yield


def _finished(store: PromptStore | None) -> PromptStore:
    if store is None:
        raise TypeError("nothing is saved")
    store.wait()
    return store


def files_in(home: Path) -> dict[Path, bytes]:
    """The saved prompts below a folder: each block before the one that follows it."""
    files = [*(home / "qwen3-mlx" / "prompts").iterdir()]
    after = {path.name[:32]: path for path in files}
    ends = {path.stem[-32:] for path in files}
    (place,) = after.keys() - ends
    ordered = []
    while place in after:
        ordered.append(after[place])
        place = after[place].stem[-32:]
    return {path: path.read_bytes() for path in ordered}


def restore(files: dict[Path, bytes]) -> None:
    """These files, and no others beside them."""
    folder = next(iter(files)).parent
    shutil.rmtree(folder)
    folder.mkdir()
    for path, data in files.items():
        path.write_bytes(data)


@dataclass(frozen=True)
class Victim:
    """A small model, what it saved, and what it said."""

    model: Path
    home: Path
    files: dict[Path, bytes]
    run: Run


def make_victim(work: Path) -> Victim:
    """A copy of a bundled model that answers once; nothing in it says what its files were."""
    model, home = work / "model", work / "cache"
    shutil.copytree(bundled_path("tiny-dense"), model)
    (model / MANIFEST).unlink()
    said = run(model, home)
    return Victim(model, home, files_in(home), said)


def attack_with(victim: Victim, name: str, damage: Damage) -> Tally:
    """A wrong file in place of each right one, one at a time."""
    tally, before = Tally(), 0
    for number, (path, data) in enumerate(victim.files.items()):
        restore(victim.files)
        damage(path)
        wrong = _fault_of(victim, run(victim.model, victim.home), before)
        if wrong:
            tally.fell(f"{name}: {wrong}", f"in place of block {number}")
        else:
            tally.held("refused, rebuilt, with a note")
        before += len(ids_of(data))
    return tally


def _fault_of(victim: Victim, seen: Run, before: int) -> str:
    """What is wrong with a run that may use so many ids (nothing, if nothing is)."""
    if seen.cached > before or seen.said != victim.run.said:
        return "accepted"
    if len(seen.notes) != 1 or not seen.notes[0].startswith(NOTE):
        return f"noted {seen.notes}"
    return "" if files_in(victim.home) == victim.files else "not rebuilt"


def planted(victim: Victim, home: Path) -> Damage:
    """Files that somebody else saved below `home`, block for block."""
    places, others = [*victim.files], [*files_in(home).values()]
    return lambda path: path.write_bytes(others[places.index(path) % len(others)])


def attack_by(victim: Victim, name: str, model: Path, home: Path, as_if: As = nullcontext) -> Tally:
    """Another model: its files in place of the right ones, and itself among those."""
    with as_if():
        alone = run(model, home)
    tally = attack_with(victim, f"files of {name}", planted(victim, home))
    restore(victim.files)
    with as_if():
        seen = run(model, victim.home)
    if seen == alone and seen.cached == 0:
        tally.held("not looked at")
    else:
        tally.fell(f"{name}: accepted", f"{seen}, alone {alone}")
    return tally


def attack_kinds(victim: Victim, work: Path) -> Tally:
    """Every kind, once for each block."""
    tally = Tally()
    for name, damage in DAMAGES.items():
        tally.add(attack_with(victim, name, damage))
    for name, change in CHANGES.items():
        other = work / name / "model"
        shutil.copytree(victim.model, other)
        change(other)
        tally.add(attack_by(victim, name, other, work / name / "cache"))
    model, later = victim.model, work / "later"
    tally.add(attack_by(victim, "another version", model, later, another_version))
    run(model, work / "prompt", OTHER_SYSTEM)
    tally.add(attack_with(victim, "another prompt", planted(victim, work / "prompt")))
    run(model, work / "context", context=5000)
    tally.add(attack_with(victim, "another context", planted(victim, work / "context")))
    return tally


def attack_at_random(victim: Victim, count: int, seed: int) -> Tally:
    """Damages at random, read back as a model reads them."""
    tally = Tally()
    restore(victim.files)
    with saved_in(victim.home):
        store = _finished(load(str(victim.model), save_cache=True).prompts)
    ids = [token for data in victim.files.values() for token in ids_of(data)]
    right = list(store.find(ids))
    for number in range(count):
        restore(victim.files)
        damage_at_random([*victim.files], random.Random(f"{seed} {number}"))
        damaged = files_in(victim.home) != victim.files
        wrong = _fault_of_found(list(store.find(ids)), right, store.take_notes(), damaged=damaged)
        if wrong:
            tally.fell(f"at random: {wrong}", f"trial {number}")
        else:
            tally.held("damaged at random: refused with a note" if damaged else "not different")
    return tally


def _fault_of_found(
    found: Sequence[Block], right: Sequence[Block], notes: Sequence[str], *, damaged: bool
) -> str:
    """What is wrong with what a store finds (nothing, if nothing is)."""
    if len(right) < 2 or not all(map(is_same, found, right)):
        return "accepted"
    if damaged == (notes == []) or not all(note.startswith(NOTE) for note in notes):
        return f"noted {notes}"
    return ""


def is_same(block: Block, other: Block) -> bool:
    """Whether two blocks hold the same ids and numbers."""
    pairs = zip(block.states, other.states, strict=True)
    return block.ids == other.ids and all(
        mx.array_equal(one[name], two[name]) for one, two in pairs for name in (*one, *two)
    )


def attack(count: int, seed: int) -> Tally:
    """Every kind, and so many damages at random."""
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        victim = make_victim(work / "victim")
        tally = attack_kinds(victim, work)
        tally.add(attack_at_random(victim, count, seed))
        return tally


if __name__ == "__main__":
    main(attack, RANDOM)
