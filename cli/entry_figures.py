"""The commands that measure and look, and the options of each: `bench`, `curve` and the like.

Knows no more: each command is a module of its own, imported when it is called.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qwen3_mlx.cli.choices import PeerName, TaskFormat
from qwen3_mlx.cli.options import AsJson, ChartFile, Settings
from qwen3_mlx.cli.origins import settle, with_answering_settings, with_loading_settings
from qwen3_mlx.cli.terminal import Terminal


def experts(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A mixture of experts: tiny, 30b-a3b, a folder.")
    ],
    prompt: Annotated[
        Path, typer.Option("--prompt", metavar="FILE", help="Text to run through it.")
    ],
    plain: Annotated[bool, typer.Option("--plain", help="Characters in place of colours.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show which experts a text goes to."""
    from qwen3_mlx.cli import experts as command

    terminal = Terminal.of_process(plain=settle({"plain": plain or None}).settings.plain)
    command.run(model, prompt, terminal, as_json=as_json)


def doctor(
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not ask whether the hub can be reached.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Look at this machine: what it can run, and what is wrong with it."""
    from qwen3_mlx.cli import doctor as command

    settings = settle({"offline": offline or None}).settings
    terminal = Terminal.of_process(plain=settings.plain)
    command.run(terminal, offline=settings.offline, as_json=as_json)


@with_loading_settings
def bench(
    settings: Settings,
    prompt_tokens: Annotated[
        str,
        typer.Option("--prompt-tokens", metavar="N,N", help="Lengths of the prompts."),
    ] = "128,512,2048",
    tokens: Annotated[
        int, typer.Option("--tokens", min=2, metavar="N", help="Tokens of each reply.")
    ] = 64,
    runs: Annotated[
        int,
        typer.Option("--runs", min=1, metavar="N", help="Runs at each length; the median counts."),
    ] = 5,
    against: Annotated[
        PeerName | None, typer.Option("--against", help="Whom to measure in turn with it.")
    ] = None,
    gguf: Annotated[
        Path | None,
        typer.Option("--gguf", metavar="FILE", help="The same model, for llama.cpp."),
    ] = None,
    svg: ChartFile = None,
    as_json: AsJson = False,
) -> None:
    """Measure how fast a model runs here."""
    from qwen3_mlx.cli import bench as command

    wishes = command.Wishes(
        lengths=command.parse_lengths(prompt_tokens),
        tokens=tokens,
        runs=runs,
        against=against,
        gguf=gguf,
        svg=svg,
        as_json=as_json,
    )
    command.run(settings, Terminal.of_process(plain=settings.plain), wishes)


@with_answering_settings
def curve(
    settings: Settings,
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="TASKS", help="A file of tasks, or demo; with --draw curves that are saved."
        ),
    ],
    budgets: Annotated[
        str | None,
        typer.Option("--budgets", metavar="N,N,none", help="The thinking budgets to compare."),
    ] = None,
    form: Annotated[
        TaskFormat | None,
        typer.Option("--format", help="Of the file; recognised by its fields without it."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, metavar="N", help="Ask the first N tasks alone.")
    ] = None,
    batch: Annotated[
        int, typer.Option("--batch", min=1, metavar="N", help="Replies at a time.")
    ] = 8,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Do without lines that are no tasks.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="Save the curve there, not in curve-MODEL-TASKS.json."
        ),
    ] = None,
    svg: ChartFile = None,
    draw: Annotated[
        bool, typer.Option("--draw", help="Measure nothing: show curves that are saved, together.")
    ] = False,
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate", help="No curve: find when --budget auto has thought enough, and keep it."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Measure how many answers are right within each thinking budget.

    Interrupted, it goes on with the same command.
    """
    from qwen3_mlx.cli import curve as command

    wishes = command.Wishes(
        names=names,
        draw=draw,
        budgets=None if budgets is None else command.parse_budgets(budgets),
        form=form,
        limit=limit,
        batch=batch,
        skip_bad=skip_bad,
        out=out,
        svg=svg,
        calibrate=calibrate,
        as_json=as_json,
    )
    command.run(settings, Terminal.of_process(plain=settings.plain), wishes)
