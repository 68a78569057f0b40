"""The commands that get and make weights, and the options of each: `pull`, `convert` and the like.

Knows no more: each command is a module of its own, imported when it is called.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qwen3_mlx.cli.choices import LearningMethod, PruningMethod
from qwen3_mlx.cli.options import AsJson, Force, NewFolder
from qwen3_mlx.cli.terminal import Terminal


def convert(
    source: Annotated[
        Path,
        typer.Argument(metavar="SRC", help="A folder, a GGUF file or a Hugging Face repository."),
    ],
    destination: NewFolder,
    recipe: Annotated[
        str,
        typer.Option(
            "--recipe",
            metavar="NAME",
            help="4bit, 8bit, mxfp4, mixed-4-6, mixed-4-8, bf16, or a TOML file of your own.",
        ),
    ] = "4bit",
    group_size: Annotated[
        int | None,
        typer.Option("--group-size", metavar="N", help="32, 64 or 128 weights to a scale."),
    ] = None,
    force: Force = False,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Compare every tensor with the source.")
    ] = True,
    delete_source: Annotated[
        bool,
        typer.Option("--delete-source", help="Fetch SRC a file at a time, and keep none of them."),
    ] = False,
    calibrate: Annotated[
        Path | None,
        typer.Option("--calibrate", metavar="FILE", help="Text to learn from how to round."),
    ] = None,
    method: Annotated[
        LearningMethod | None, typer.Option("--method", help="How it is learned.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what it would come to, and write nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Convert weights to MLX. Interrupted, it goes on with the same command."""
    from qwen3_mlx.cli import convert as command

    if dry_run:
        command.plan(source, Terminal.of_process(), recipe, group_size, as_json=as_json)
        return
    command.run(
        source,
        destination,
        Terminal.of_process(),
        recipe=recipe,
        group_size=group_size,
        force=force,
        verify=verify,
        delete_source=delete_source,
        calibrate=calibrate,
        method=method,
        as_json=as_json,
    )


def verify(
    name: Annotated[
        Path, typer.Argument(metavar="MODEL|SRC", help="A model; or what DST was made of.")
    ],
    destination: Annotated[
        Path | None, typer.Argument(metavar="DST", help="A converted model.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare a model with its record, or with its source."""
    from qwen3_mlx.cli import verify as command

    if destination is None:
        command.run_alone(name, Terminal.of_process(), as_json=as_json)
    else:
        command.run(name, destination, Terminal.of_process(), as_json=as_json)


def prune(
    source: Annotated[
        Path, typer.Argument(metavar="SRC", help="A model folder or a Hugging Face repository.")
    ],
    destination: NewFolder,
    keep: Annotated[
        int, typer.Option("--keep", metavar="N", help="Experts that stay in each layer.")
    ],
    calibrate: Annotated[
        Path, typer.Option("--calibrate", metavar="FILE", help="Text to choose them on.")
    ],
    method: Annotated[
        PruningMethod,
        typer.Option("--method", help="By what they say (reap), or how often they are chosen."),
    ] = PruningMethod.REAP,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Remove the experts that a text needs least."""
    from qwen3_mlx.cli import prune as command

    command.run(
        source,
        destination,
        Terminal.of_process(),
        keep=keep,
        calibrate=calibrate,
        method=method,
        force=force,
        as_json=as_json,
    )


def pull(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A size like 8b or a Hugging Face repository.")
    ],
    default: Annotated[
        bool, typer.Option("--default", help="Use it when no --model is given.")
    ] = False,
) -> None:
    """Fetch a model."""
    from qwen3_mlx.cli import pull as command

    command.run(name, Terminal.of_process(), default=default)


def models(as_json: AsJson = False) -> None:
    """List the models there are."""
    from qwen3_mlx.cli import models as command

    command.run(Terminal.of_process(), as_json=as_json)
