"""The attack on the screen through whole commands: names and files that hold what terminals obey.

Knows how a stranger's text gets into each: the name of a repository, a saved curve or conversation,
a variable, what a machine says of itself, file names that the line editor offers.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias
from unittest import mock

from qwen3_mlx.cli import curve, doctor, models, show_config, transcripts
from qwen3_mlx.cli.app import app
from qwen3_mlx.cli.files import attached
from qwen3_mlx.cli.options import Settings
from qwen3_mlx.cli.origins import settle
from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.evaluation.curve import Record
from qwen3_mlx.evaluation.saved import Curve, to_json
from qwen3_mlx.evaluation.setup import Setup
from qwen3_mlx.health import Probes
from tests.trust.chats_shown import asked, served, talked, toolbar
from tests.trust.conversions_shown import converted, measured, pruned, pulled, routed
from tests.trust.editing import edited
from tests.trust.screens import Caught, Kind, errors_said, file_name, forbidden, on

Command: TypeAlias = Callable[[Terminal, str, Path], object]


def listed_models(terminal: Terminal, text: str, folder: Path) -> None:
    """`models`, where the cache holds a repository of that name."""
    found = [mock.Mock(nbytes=10**9, repo=text)]
    found[0].name = text
    with mock.patch("qwen3_mlx.checkpoint.hub.list_downloaded", return_value=found):
        models.run(terminal, as_json=False)
        models.run(terminal, as_json=True)


def drawn_curve(terminal: Terminal, text: str, folder: Path) -> None:
    """`curve --draw` of a stranger's file."""
    setup = Setup(text, text, text, text, 1, (0, 8), text, None, 100, {text: 1.0}, {})
    records = tuple(
        Record(text, name, budget, True, text, 0, 0, "off", "stop", 1.0)
        for budget in (0, 8)
        for name in (text, f"{text}!")
    )
    path = folder / "curve.json"
    path.write_text(to_json(Curve(setup, records)))
    for as_json in (False, True):
        wishes = curve.Wishes(
            names=[str(path)],
            draw=True,
            budgets=None,
            form=None,
            limit=None,
            batch=1,
            skip_bad=False,
            out=None,
            svg=None,
            calibrate=False,
            as_json=as_json,
        )
        curve.run(Settings(), terminal, wishes)


def shown_settings(terminal: Terminal, text: str, folder: Path) -> None:
    """`config show` with that text in a variable, and as the name of a model."""
    said = text.encode("utf-8", "replace").decode().replace("\0", "")
    for name in ("SYSTEM", "MODEL", "BUDGET"):
        with mock.patch.dict(os.environ, {f"QWEN3_MLX_{name}": said}), errors_said(terminal):
            show_config.run(settle({}), terminal, with_origin=True, as_json=name == "MODEL")


def looked_at(terminal: Terminal, text: str, folder: Path) -> None:
    """`doctor` on a machine that says that text of itself."""
    probes = Probes(
        release=lambda: text,
        sysctl=lambda _name: text,
        installed=lambda _package: text,
        hub_folder=lambda: Path(text.replace("\0", "")),
        hub_address=lambda: text,
        reach_hub=lambda: text,
        free_disk=lambda _folder: 1,
    )
    for as_json in (False, True):
        doctor.run(terminal, offline=False, as_json=as_json, probes=probes)


def read_files(terminal: Terminal, text: str, folder: Path) -> None:
    """A file and a conversation under such a name, and with such words in them."""
    path = folder / f"f{file_name(text)}"
    with errors_said(terminal):
        transcripts.load(path)
    path.write_text(json.dumps({"version": 1, "messages": [{text: text}]}))
    with errors_said(terminal):
        transcripts.load(path)
    terminal.say(attached(path))


def mistyped(terminal: Terminal, text: str, folder: Path) -> None:
    """A command line that is not understood, as when a shell writes the names of files into it."""
    for before in ((), ("ask",), ("ask", "x"), ("config",), ("config", "show")):
        for word in (text, f"--{text}", f"-{text}", f"--temp={text}", f"--thoughts={text}"):
            with (
                redirect_stderr(terminal.console.file),
                redirect_stdout(terminal.console.file),
                suppress(SystemExit),
            ):
                app([*before, word, "too", "many"], prog_name="qwen3-mlx")


COMMANDS: dict[str, Command] = {
    command.__name__: command
    for command in (
        *(talked, asked, served),
        *(listed_models, drawn_curve, shown_settings, looked_at, read_files, mistyped),
        *(converted, pruned, pulled, routed, measured),
    )
}
"""Each gets a folder of its own."""


def try_command(command: Command, kind: Kind, text: str) -> str:
    """What of a text reaches a screen through a command that must not; nothing, if all is well."""
    caught = Caught()
    with TemporaryDirectory() as folder, on(kind) as (terminal, stream), caught:
        command(terminal, text, Path(folder))
    return caught.said or forbidden(stream.getvalue(), kind)


def try_editor(text: str) -> str:
    """What of a text reaches the screen while a line is edited."""
    with on(Kind.SCREEN) as (terminal, _):
        under_it = toolbar(text, terminal)
    return forbidden(edited([f"a{text}", f"b{text}"], text, under_it), Kind.SCREEN)
