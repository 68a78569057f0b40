"""The page on `bench`: its commands print what it shows, and its fields are those of `--json`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

from qwen3_mlx.cli.bench_report import Report, as_data
from qwen3_mlx.measure import Ours, Plan, rows, steps, where
from qwen3_mlx.runtime import LLM
from tests.cli.bench_fakes import BenchLLM, played_peer
from tests.pages import ROOT, arguments_of, commands, run

PAGE = (ROOT / "docs" / "bench.md").read_text("utf-8")
FIELDS = {
    path: re.findall(r"`(\w+)`", fields)
    for path, fields in re.findall(r"^\| `(\..*?)` \| (.*) \|$", PAGE, re.MULTILINE)
}
# What the machine and the moment decide: device and type, numbers and so bars and line ends.
HERE = re.compile(r"(?<= on )[^:]*: \w+(?=, MLX)|set to \w+|its own type")
MOMENT = re.compile(r"[\d.+-]+")


def steady(text: str) -> str:
    """The text without what differs from machine to machine and from run to run."""
    return " ".join(MOMENT.sub(" ", HERE.sub("here", " ".join(text.split()))).split())


def found() -> dict[str, Any]:
    """What `--json` prints of a model and a peer that are played."""
    llm = BenchLLM()
    peer = played_peer(llm.clock)
    plan = Plan((100,), 3, 1)
    report = Report(
        model="tiny",
        dtype="float32",
        options={},
        load_seconds=0.5,
        where=where(),
        plan=plan,
        rows=rows(steps(Ours(cast(LLM, llm), 0), [peer], plan)),
        peer=peer,
        peer_note="",
        complete=True,
    )
    return as_data(report)


def test_the_fields_are_listed() -> None:
    data = found()
    (length,) = data["lengths"]
    objects = {
        ".": data,
        ".against": data["against"],
        ".lengths[]": length,
        ".lengths[].next_turn": length["next_turn"],
        ".lengths[].against": length["against"],
    }
    assert {path: list(fields) for path, fields in objects.items()} == FIELDS


def test_the_page_s_commands_print_what_it_shows(tmp_path: Path) -> None:
    """mlx-lm is measured for real here, on `tiny`."""
    for command, shown in commands(PAGE):
        assert steady(run(arguments_of(command), folder=tmp_path)) == steady(shown)
    assert ElementTree.XML((tmp_path / "bench.svg").read_text("utf-8")).tag.endswith("svg")
