"""The command line: `qwen3-mlx`, its commands, and how errors leave it.

Knows the commands, their options and the exit codes. Every command lives in a module of its own,
imported when it is called, so that `--help` starts at once and without MLX.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from typer.core import TyperGroup

from qwen3_mlx.cli.options import (
    LearningMethod,
    PeerName,
    PruningMethod,
    Settings,
    TaskFormat,
    refusal,
)
from qwen3_mlx.cli.origins import (
    Settled,
    settle,
    with_answering_settings,
    with_loading_settings,
    with_origins,
    with_settings,
)
from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.cli.tool_options import AllowOption, McpOption, ToolsOption, ToolWishes
from qwen3_mlx.errors import Qwen3Error

FAILED = 1


class Commands(TyperGroup):
    """Runs a command; what a person can cause becomes a message and an exit code."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]
        """Runs the command that was called."""
        with errors_reported():
            return super().invoke(ctx)


@contextmanager
def errors_reported() -> Iterator[None]:
    """Turns an error of ours, or of the file system, into a message and an exit code."""
    try:
        yield
    except typer.BadParameter as error:
        error.message = refusal(error)
        raise
    except Qwen3Error as error:
        Terminal.of_process().error(error)
        raise typer.Exit(error.exit_code) from error
    except BrokenPipeError:
        raise  # whoever read our output has gone; Typer leaves quietly
    except OSError as error:
        Terminal.of_process().error(Qwen3Error(str(error)))
        raise typer.Exit(FAILED) from error


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


@app.command()
@with_settings
def chat(
    settings: Settings,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the last conversation.")
    ] = False,
    keep: Annotated[
        bool,
        typer.Option(" /--no-history", help="Keep nothing of this chat for the next one."),
    ] = True,
    tools: ToolsOption = None,
    mcp: McpOption = None,
    allow_tools: AllowOption = None,
) -> None:
    """Talk with a model and watch it think."""
    from qwen3_mlx.cli import chat as command

    terminal = Terminal.of_process(plain=settings.plain, redact=settings.redact or ())
    offered = ToolWishes(tools, mcp, allow_tools)
    raise typer.Exit(command.run(settings, terminal, resume=resume, keep=keep, tools=offered))


@app.command()
@with_settings
def ask(
    settings: Settings,
    prompt: Annotated[
        str | None,
        typer.Argument(metavar="PROMPT", help="Files and piped input are put before it."),
    ] = None,
    files: Annotated[
        list[Path] | None,
        typer.Option("--file", metavar="PATH", help="Put a text file before it; may be repeated."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of the answer.")
    ] = False,
    as_jsonl: Annotated[
        bool, typer.Option("--jsonl", help="Print a line of JSON for each event as it happens.")
    ] = False,
    thinking_to: Annotated[
        Path | None,
        typer.Option("--thinking-to", metavar="FILE", help="Write the thoughts to FILE too."),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Nothing on standard error but errors.")
    ] = False,
    tools: ToolsOption = None,
    mcp: McpOption = None,
    allow_tools: AllowOption = None,
) -> None:
    """Ask one question. The answer alone goes to standard output."""
    from qwen3_mlx.cli import ask as command

    command.run(
        prompt,
        settings,
        Terminal.of_process(plain=settings.plain, quiet=quiet, redact=settings.redact or ()),
        files=files or (),
        thinking_to=thinking_to,
        form=command.form_of(as_json=as_json, as_jsonl=as_jsonl),
        tools=ToolWishes(tools, mcp, allow_tools),
    )


@app.command()
def convert(
    source: Annotated[
        Path,
        typer.Argument(metavar="SRC", help="A folder, a GGUF file or a Hugging Face repository."),
    ],
    destination: Annotated[Path, typer.Argument(metavar="DST", help="Folder to create.")],
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
    force: Annotated[bool, typer.Option("--force", help="Replace DST if it is a model.")] = False,
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
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
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


@app.command()
def verify(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="What DST was made of.")],
    destination: Annotated[Path, typer.Argument(metavar="DST", help="A converted model.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Compare a converted model with its source, tensor by tensor."""
    from qwen3_mlx.cli import verify as command

    command.run(source, destination, Terminal.of_process(), as_json=as_json)


@app.command()
def prune(
    source: Annotated[
        Path, typer.Argument(metavar="SRC", help="A model folder or a Hugging Face repository.")
    ],
    destination: Annotated[Path, typer.Argument(metavar="DST", help="Folder to create.")],
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
    force: Annotated[bool, typer.Option("--force", help="Replace DST if it is a model.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
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


@app.command()
def experts(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A mixture of experts: tiny, 30b-a3b, a folder.")
    ],
    prompt: Annotated[
        Path, typer.Option("--prompt", metavar="FILE", help="Text to run through it.")
    ],
    plain: Annotated[bool, typer.Option("--plain", help="Characters in place of colours.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Show which experts a text goes to."""
    from qwen3_mlx.cli import experts as command

    terminal = Terminal.of_process(plain=settle({"plain": plain or None}).settings.plain)
    command.run(model, prompt, terminal, as_json=as_json)


@app.command()
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


@app.command()
def models(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """List the models there are."""
    from qwen3_mlx.cli import models as command

    command.run(Terminal.of_process(), as_json=as_json)


@app.command()
def doctor(
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not ask whether the hub can be reached.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Look at this machine: what it can run, and what is wrong with it."""
    from qwen3_mlx.cli import doctor as command

    settings = settle({"offline": offline or None}).settings
    terminal = Terminal.of_process(plain=settings.plain)
    command.run(terminal, offline=settings.offline, as_json=as_json)


@app.command()
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
    svg: Annotated[
        Path | None, typer.Option("--svg", metavar="FILE", help="Write the charts to FILE too.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
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


@app.command()
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
    svg: Annotated[
        Path | None, typer.Option("--svg", metavar="FILE", help="Write the charts to FILE too.")
    ] = None,
    draw: Annotated[
        bool, typer.Option("--draw", help="Measure nothing: show curves that are saved, together.")
    ] = False,
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate", help="No curve: find when --budget auto has thought enough, and keep it."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
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
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
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
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    app()


def _leave(number: int, _frame: FrameType | None) -> None:
    """Unwinds, so that the terminal is left as it was found."""
    raise SystemExit(128 + number)
