"""The attack on the screen through commands about weights and figures: names that hold anything.

Knows where the names of files, tensors, models and machines are shown. Stands what would be found
in for a conversion, a comparison, a download and a measurement.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from qwen3_mlx.checkpoint import hub
from qwen3_mlx.checkpoint.whole import Whole
from qwen3_mlx.cli import bench_page, convert, experts, heatmap, prune, pull, verify
from qwen3_mlx.cli.bench_report import Report
from qwen3_mlx.cli.choices import PruningMethod
from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.convert import Outlook, Verification
from qwen3_mlx.convert.check import Check
from qwen3_mlx.convert.kinds import Kind
from qwen3_mlx.convert.outputs import Outputs
from qwen3_mlx.convert.prune_choice import PrunedLayer
from qwen3_mlx.convert.routing import LayerRouting, Routing
from qwen3_mlx.measure import OURS, Figures, Peer, Plan, Row, Spread, Where
from tests.trust.screens import errors_said

ROUTING = Routing(2, 1, 4, (LayerRouting(0, 4, ((2, 0), (0, 2)), (1.0, 1.0)),))
PLAN = Plan((8,), 2, 1)


def converted(terminal: Terminal, text: str, folder: Path) -> None:
    """`convert`, with such names of folders and files, and such notes; `--dry-run`; `verify`."""
    path, check = Path(text), Check(text, exact=False, error=0.1, worst=0.5, group=(0, 0))
    kind = Kind(text, (1,), text, (text,), 1)
    plan = Outlook((kind,), (text,), 1, 4.0, 1, {1024: 8})
    found = Verification((check,), Outputs(None, 0.0, 0, text))
    with (
        mock.patch.object(convert, "convert", _told(path, text)),
        mock.patch.object(convert, "read_manifest", return_value={"found": None}),
        mock.patch.object(convert, "outlook", return_value=plan),
        mock.patch.object(verify, "verify", _told(found, text)),
        mock.patch.object(verify, "resolve", return_value=SimpleNamespace(path=path)),
        mock.patch.object(verify, "check_whole", return_value=Whole((text,), 1, text)),
        errors_said(terminal),
    ):
        for as_json in (False, True):
            convert.run(
                path,
                path,
                terminal,
                recipe=text,
                group_size=None,
                force=False,
                verify=False,
                delete_source=False,
                calibrate=None,
                method=None,
                as_json=as_json,
            )
            convert.plan(path, terminal, text, None, as_json=as_json)
            verify.run(path, path, terminal, as_json=as_json)
            verify.run_alone(path, terminal, as_json=as_json)


def pruned(terminal: Terminal, text: str, folder: Path) -> None:
    """`prune`, with such a folder and notes."""
    layer = PrunedLayer(0, (0,), (1.0, 0.0), (2, 2))
    path = Path(text)
    found = SimpleNamespace(folder=path, method=text, routing=ROUTING, layers=(layer,))
    wishes: dict[str, Any] = {"keep": 1, "calibrate": path, "method": PruningMethod.REAP}
    with mock.patch.object(prune, "prune", _told(found, text)):
        for as_json in (False, True):
            prune.run(path, path, terminal, force=False, as_json=as_json, **wishes)


def pulled(terminal: Terminal, text: str, folder: Path) -> None:
    """`pull` of such a name, and the offer to fetch it."""
    with (
        mock.patch.object(hub, "repo_id", return_value=text),
        mock.patch.object(hub, "download", lambda _name, tell: _fetched(tell, text)),
    ):
        pull.run(text, terminal, default=False)
        terminal.stdin = io.StringIO("n\n")
        terminal.conversational = True
        pull.offer(text, terminal)


def routed(terminal: Terminal, text: str, folder: Path) -> None:
    """`experts` of a model and a file with such names."""
    source = SimpleNamespace(path=folder)
    with (
        mock.patch.object(experts, "read_text_file", return_value=SimpleNamespace(documents=[])),
        mock.patch.object(experts, "resolve", return_value=source),
        mock.patch.object(experts, "observe", return_value=ROUTING),
    ):
        for as_json in (False, True):
            experts.run(text, Path(text), terminal, as_json=as_json)


def measured(terminal: Terminal, text: str, folder: Path) -> None:
    """The page of `bench`, for such a model on such a machine, beside such a program."""
    spread = Spread((1.0, 2.0))
    figures = Figures(spread, spread, spread, 1, 2, 0, 0, ())
    row = Row(8, 1, {OURS: figures, text: figures}, 0, None, None)
    peer: Any = SimpleNamespace(name=text, version=text, load_seconds=1.0)
    report = _report(text, row, peer)
    for line in bench_page.page(report, terminal.columns or 60):
        heatmap.show(line, terminal)


def _report(text: str, row: Row, peer: Peer) -> Report:
    where = Where(text, gpu=False, mlx=text, program=text)
    return Report(text, text, {text: text}, 1.0, where, PLAN, [row], peer, text, complete=False)


def _told(result: object, text: str) -> Callable[..., object]:
    """Something long that tells how far it is, and what it fetches and notes."""

    def done(*_given: object, **asked: Any) -> object:
        state = SimpleNamespace(stage=text, done_bytes=5, total_bytes=10)
        for name, told in {"progress": (state,), "fetched": (text, 5, 10), "note": (text,)}.items():
            if name in asked:
                asked[name](*told)
        return result

    return done


def _fetched(tell: Callable[[int, int], None], text: str) -> Path:
    tell(5, 10)
    return Path(text)
