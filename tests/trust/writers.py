"""Everything of ours that writes files: models, saved prompts, conversations, figures, settings.

Knows how each is called, and on what.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

from qwen3_mlx.cli import config, state, transcripts
from qwen3_mlx.cli.history import TypedLines
from qwen3_mlx.cli.thoughts_file import kept_thoughts
from qwen3_mlx.cli.transcripts import Transcript
from qwen3_mlx.convert import convert, plan
from qwen3_mlx.evaluation.curve import Record
from qwen3_mlx.evaluation.journal import open_journal
from qwen3_mlx.evaluation.setup import Setup
from qwen3_mlx.events import ThinkingDelta
from qwen3_mlx.text.pieces import Message
from tests.checkpoint.prompts import START, states_of, store_in
from tests.convert.conftest import CONFIG, EXPERTS, random_checkpoint
from tests.trust.jobs import Job, View, nothing, visible

SHARD_BYTES = 40_000
"""So small that a conversion makes nine files of weights."""

LOCKING = 4
"""Changes that a conversion makes before it has looked at its source."""

OLD_IDS = [START, *range(700)]
NEW_IDS = [START, *range(300), *range(400, 1500)]


# Conversions.


def make_source(folder: Path) -> None:
    """A small mixture of experts, in two files."""
    random_checkpoint(CONFIG | EXPERTS).save(folder, shards=2)


def _converted(source: Path, folder: Path, recipe: str = "4bit") -> list[str]:
    with patch.object(plan, "SHARD_BYTES", SHARD_BYTES):
        convert(source, folder / "out", recipe, force=True)
    return []


def _conversions(source: Path) -> list[Job]:
    def run(folder: Path) -> list[str]:
        return _converted(source, folder)

    def before(folder: Path) -> None:
        _converted(source, folder, "8bit")
        (folder / "out" / ".cache").mkdir()  # as huggingface_hub leaves one

    return [
        Job("convert", "out", nothing, run, visible, LOCKING),
        Job("convert over a model", "out", before, run, visible, LOCKING),
    ]


# What the model has read.


def _save_prompt(folder: Path, ids: Sequence[int]) -> list[str]:
    store = store_in(folder)
    store.save(ids, states_of(ids))
    store.wait()
    return store.take_notes()


PROMPTS = Job(
    "cache",
    "",
    lambda folder: _save_prompt(folder, OLD_IDS),
    lambda folder: _save_prompt(folder, NEW_IDS),
    visible,
)


# What a person said, and what was answered.


def _talk(turns: int) -> Transcript:
    said: list[Message] = [
        {"role": "user" if turn % 2 else "assistant", "content": f"{turn}: größer " * 200}
        for turn in range(turns)
    ]
    return Transcript("tiny", 512, said)


def _save_talk(folder: Path, turns: int) -> list[str]:
    transcripts.save(_talk(turns), folder / "talk.json")
    return []


def _export_talk(folder: Path, turns: int) -> list[str]:
    transcripts.export(_talk(turns).messages, folder / "talk.md")
    return []


TRANSCRIPT = Job(
    "transcript",
    "talk.json",
    lambda folder: _save_talk(folder, 20),
    lambda folder: _save_talk(folder, 30),
    visible,
)
EXPORT = Job(
    "export",
    "talk.md",
    lambda folder: _export_talk(folder, 20),
    lambda folder: _export_talk(folder, 30),
    visible,
)


def _type_line(folder: Path, text: str) -> list[str]:
    notes: list[str] = []
    lines = TypedLines(folder / "history.jsonl", tell=notes.append)
    lines.add(text)
    lines.tell_problem()
    return notes


def _type_many(folder: Path) -> None:
    for number in range(5):
        _type_line(folder, f"{number}: größer " * 50)


HISTORY = Job(
    "history", "history.jsonl", _type_many, lambda folder: _type_line(folder, "new"), visible
)


# What a person measured and set.


SETUP = Setup(
    model="tiny",
    identity="0" * 32,
    tasks="demo",
    digest="0" * 64,
    count=2,
    budgets=(0, None),
    context=2048,
    system=None,
    max_tokens=None,
    thinking={},
    answering={},
)
RECORD = Record(
    id="1",
    category="sums",
    budget=0,
    right=True,
    answer="5",
    thinking_tokens=0,
    answer_tokens=3,
    stop_thinking="off",
    finish_reason="stop",
    seconds=0.5,
)


def _note_task(folder: Path, task: str) -> list[str]:
    with open_journal(folder / "curve.json.partial", SETUP) as journal:
        if task not in journal.records:
            journal.note([replace(RECORD, id=task, budget=budget) for budget in SETUP.budgets])
    return []


def _tasks_noted(folder: Path) -> View:
    path = folder / "curve.json.partial"
    if not path.exists():
        return {}
    with open_journal(path, SETUP) as journal:
        return dict(journal.records)


JOURNAL = Job(
    "journal",
    "curve.json.partial",
    lambda folder: _note_task(folder, "1"),
    lambda folder: _note_task(folder, "2"),
    _tasks_noted,
)


def _write_text(folder: Path, text: str) -> list[str]:
    state.replace_file(folder / "calibration.json", text)
    return []


CALIBRATION = Job(
    "calibration",
    "calibration.json",
    lambda folder: _write_text(folder, '{"skip": 1}\n' * 9),
    lambda folder: _write_text(folder, '{"skip": 0}\n' * 9),
    visible,
)


def _set_model(folder: Path, name: str) -> list[str]:
    with patch.object(config, "config_path", lambda: folder / "config.toml"):
        config.set_model(name)
    return []


SETTINGS = Job(
    "settings",
    "config.toml",
    lambda folder: (folder / "config.toml").write_text('model = "4b"\nbudget = 64\n'),
    lambda folder: _set_model(folder, "8b"),
    visible,
)


def _keep_thoughts(folder: Path) -> list[str]:
    with kept_thoughts(folder / "thoughts.txt", []) as keep:
        for number in range(3):
            keep(ThinkingDelta(f"thought {number}", number, 8))
    return []


THOUGHTS = Job("thoughts", "thoughts.txt", nothing, _keep_thoughts, lambda _folder: {}, unsized=1)
"""Written under its own name while the model thinks: there is nothing to find but what came."""


def four(source: Path) -> list[Job]:
    """Conversions, saved prompts, transcripts and typed lines."""
    return [*_conversions(source), PROMPTS, TRANSCRIPT, HISTORY]


def all_of_them(source: Path) -> list[Job]:
    """Whatever writes files."""
    return [*four(source), EXPORT, JOURNAL, CALIBRATION, SETTINGS, THOUGHTS]
