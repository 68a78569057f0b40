"""The command line: `qwen3-mlx`, its commands, and how errors leave it.

Knows which commands there are, and the exit codes; their options are in `entry_*.py`. Every command
lives in a module of its own, imported when it is called, so that `--help` starts at once and
without MLX.
"""

from __future__ import annotations

import re
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated

import typer
from typer.core import TyperGroup

from qwen3_mlx.cli import entry_figures as figures
from qwen3_mlx.cli import entry_talk as talk
from qwen3_mlx.cli import entry_weights as weights
from qwen3_mlx.cli.filter import clean
from qwen3_mlx.cli.options import AsJson, refusal
from qwen3_mlx.cli.origins import Settled, with_origins
from qwen3_mlx.cli.streams import prepare_streams
from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.errors import Qwen3Error

FAILED = 1
LIKE_AN_OPTION = re.compile(r"--?[A-Za-z][^\s]*")


class Commands(TyperGroup):
    """Runs a command; what a person can cause becomes a message and an exit code."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Reads what stands before the command."""
        with errors_reported():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]
        """Runs the command that was called."""
        with errors_reported():
            return super().invoke(ctx)


@contextmanager
def errors_reported() -> Iterator[None]:
    """Turns an error of ours, or of the file system, into a message and an exit code."""
    try:
        yield
    except typer.TyperException as error:
        # Typer shows what was typed, overrides and all.
        error.message = clean(f"{refusal(error)}{_dash_hint(error)}")
        raise
    except Qwen3Error as error:
        Terminal.of_process().error(error)
        raise typer.Exit(error.exit_code) from error
    except BrokenPipeError:
        raise  # whoever read our output has gone; Typer leaves quietly
    except OSError as error:
        Terminal.of_process().error(Qwen3Error(str(error)))
        raise typer.Exit(FAILED) from error


def _dash_hint(error: typer.TyperException) -> str:
    """What to do about a text that was taken for an option, which no option looks like."""
    name = getattr(error, "option_name", None)  # of the class for an option that there is not
    if name is None or LIKE_AN_OPTION.fullmatch(name):
        return ""
    return ". To say what begins with a dash, write -- before it"


app = typer.Typer(
    name="qwen3-mlx",
    cls=Commands,
    help="Run Qwen3 on MLX, and see, trust and turn its thinking budget.",
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        from qwen3_mlx import __version__

        typer.echo(f"qwen3-mlx {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Options of the program itself."""


COMMANDS = (
    *(talk.chat, talk.ask),
    *(weights.convert, weights.verify, weights.prune),
    figures.experts,
    *(weights.pull, weights.models),
    *(figures.doctor, figures.bench, figures.curve),
)
"""In the order of `--help`."""

for command in COMMANDS:
    app.command()(command)

config = typer.Typer(
    help="See what holds for each setting.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(config, name="config")


@config.command()
@with_origins
def show(
    settled: Settled,
    origin: Annotated[
        bool, typer.Option("--origin", help="Say where each value comes from.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the settings with their values.

    A flag comes before a variable QWEN3_MLX_*, that before the configuration file, and that before
    what the model does of its own.
    """
    from qwen3_mlx.cli import show_config as command

    terminal = Terminal.of_process(plain=settled.settings.plain)
    command.run(settled, terminal, with_origin=origin, as_json=as_json)


def main() -> None:
    """Runs the command line of this process."""
    prepare_streams()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    try:
        app()
    except Exception as error:  # a mistake of ours, which may quote a stranger
        sys.stderr.write(clean(traceback.format_exc()))
        raise SystemExit(FAILED) from error


def _leave(number: int, _frame: FrameType | None) -> None:
    """Unwinds, so that the terminal is left as it was found."""
    raise SystemExit(128 + number)
