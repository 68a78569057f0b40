"""What the program writes itself, or a person for it, and anybody may hand on.

Knows transcripts, settings, tasks, curves and the like, and reads them as the program does.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from unittest import mock

from qwen3_mlx.cli import config, history, transcripts
from qwen3_mlx.cli.cover import covered_messages
from qwen3_mlx.cli.redact import Redaction
from qwen3_mlx.evaluation.journal import open_journal
from qwen3_mlx.evaluation.saved import as_data, read_curve, setup_of, to_json
from qwen3_mlx.evaluation.tasks import read_tasks, task_path
from qwen3_mlx.generation.calibration_file import read_calibration, shipped_path
from qwen3_mlx.text.qwen3_format import HYBRID
from qwen3_mlx.text.renderer import check_request
from qwen3_mlx.tools.mcp_config import read_config
from tests.trust import file_seeds
from tests.trust.target import Target, target


def own(folder: Path) -> dict[str, Target]:
    """These kinds of files, by name."""
    return _kept(folder) | _measured(folder)


def _kept(folder: Path) -> dict[str, Target]:
    state, settings = folder / "state" / "qwen3-mlx", folder / "config" / "qwen3-mlx"
    return {
        "transcript": target(folder / "t.json", _read_transcript, file_seeds.transcript()),
        "history": target(
            state / history.NAME, lambda path: history.TypedLines(path).entries, b'"a"\n"b\\nc"\n'
        ),
        "settings": target(settings / "config.toml", _read_settings, file_seeds.SETTINGS),
        "MCP servers": target(folder / "mcp.json", read_config, file_seeds.mcp()),
    }


def _measured(folder: Path) -> dict[str, Target]:
    demo = b"\n".join(task_path("demo").read_bytes().split(b"\n")[:3])
    return {
        "calibration": target(
            folder / "calibration.json", read_calibration, shipped_path("tiny").read_bytes()
        ),
        "curve": target(folder / "curve.json", _read_curve, to_json(file_seeds.curve()).encode()),
        "journal": target(folder / "curve.partial", _read_journal, file_seeds.journal()),
        "tasks": target(folder / "tasks.jsonl", read_tasks, demo, *file_seeds.tasks()),
    }


def _read_transcript(path: Path) -> None:
    """Reads it, goes on with it, keeps it, and writes it down."""
    found = transcripts.load(path)
    kept = covered_messages(found.messages, Redaction(), private=False)
    copy = path.with_suffix(".copy")
    transcripts.save(transcripts.Transcript(found.model, found.budget, kept), copy)
    transcripts.export(kept, copy)
    messages = [*found.messages, {"role": "user", "content": "Go on"}]
    check_request(messages, ())  # type: ignore[arg-type]
    HYBRID.render(messages, thinking=True, tools=(), add_generation_prompt=True)  # type: ignore[arg-type]


def _read_settings(path: Path) -> None:
    with mock.patch.dict(os.environ, XDG_CONFIG_HOME=str(path.parents[1])):
        for stated in config.read_config():
            stated.value()


def _read_curve(path: Path) -> None:
    found = read_curve(path)
    json.dumps(as_data(found))
    to_json(found)


def _read_journal(path: Path) -> None:
    setup = setup_of(asdict(file_seeds.curve().setup) | {"budgets": [0, 8]})
    with open_journal(path, setup):
        pass
