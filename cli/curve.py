"""`qwen3-mlx curve`: how many right answers each thinking budget buys, on tasks of one's own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwen3_mlx.cli import calibrate
from qwen3_mlx.cli.chart import draw
from qwen3_mlx.cli.choices import TaskFormat
from qwen3_mlx.cli.curve_page import charts, page
from qwen3_mlx.cli.filter import clean_line, escaped_json
from qwen3_mlx.cli.heatmap import show
from qwen3_mlx.cli.loading import flags_named, open_model
from qwen3_mlx.cli.options import Settings, parse_budget
from qwen3_mlx.cli.progress import showing_steps
from qwen3_mlx.cli.state import check_place, replace_file
from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.errors import UsageError
from qwen3_mlx.evaluation import curve as evaluation
from qwen3_mlx.evaluation.calibrate import check_count
from qwen3_mlx.evaluation.curve import Budget
from qwen3_mlx.evaluation.journal import Journal, journal_path, open_journal, refuse_other
from qwen3_mlx.evaluation.readers import Form
from qwen3_mlx.evaluation.saved import Curve, as_data, read_curve, to_json
from qwen3_mlx.evaluation.setup import Setup, make_setup
from qwen3_mlx.evaluation.task import Task
from qwen3_mlx.evaluation.tasks import (
    SHOWN_LINES,
    TaskFile,
    parse_tasks,
    refuse_bad,
    refuse_empty,
    task_path,
)

if TYPE_CHECKING:
    from qwen3_mlx.runtime import LLM

WIDTH = 80
"""Of a page where there is no screen."""

BUNDLED_BUDGETS: Sequence[Budget] = (0, 8, 16, 32, 64, 128, None)
BUDGETS: Sequence[Budget] = (0, 256, 512, 1024, 2048, 4096, 8192)
"""Where nothing is said: what changes something in a model of that size."""

_SAMPLING = ("temp", "top_p", "top_k", "min_p", "seed")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is to be measured or drawn, and how it is told.

    Attributes:
        names: Of the tasks; with `draw` of files with curves.
        draw: Whether to measure nothing.
        budgets: None for those of the model.
        form: Of the tasks; None: recognised.
        limit: So many of the tasks, the first ones; None for all.
        batch: Replies at a time.
        skip_bad: Whether to do without lines that are no tasks.
        out: Where the curve is saved; None: a name of the model's and the tasks', in this folder.
        svg: A file for the charts.
        calibrate: Whether to calibrate the budget `auto` on the tasks, instead of a curve.
        as_json: Whether to print JSON.
    """

    names: Sequence[str]
    draw: bool
    budgets: Sequence[Budget] | None
    form: TaskFormat | None
    limit: int | None
    batch: int
    skip_bad: bool
    out: Path | None
    svg: Path | None
    calibrate: bool
    as_json: bool


def parse_budgets(text: str) -> tuple[Budget, ...]:
    """Budgets as people write them: `0,256,none`.

    Raises:
        UsageError: one of them is no number of tokens and not `none`, or is there twice.
    """
    budgets: list[Budget] = []
    for word in text.split(","):
        limit = parse_budget(word).limit
        if not isinstance(limit, int | None):
            raise UsageError(
                f"{word.strip()!r} is no budget of a curve",
                hint="Give numbers of tokens, 0 for no thinking, none for no end: 0,256,none.",
            )
        budgets.append(limit)
    evaluation.check_budgets(budgets)
    return tuple(budgets)


def run(settings: Settings, terminal: Terminal, wishes: Wishes) -> None:
    """Measures a curve, or reads some, and shows what they say.

    Raises:
        Qwen3Error: tasks, files or wishes that cannot be used, or a model that cannot be had.
        KeyboardInterrupt: a person stopped it; what is done is kept, which was said.
    """
    _check(wishes)
    if wishes.calibrate:
        tasks = _tasks(wishes, terminal)
        check_count(len(tasks))
        calibrate.run(open_model(replace(settings, draft=None), terminal), tasks, terminal)
        return
    if wishes.draw:
        curves = [read_curve(Path(name)) for name in wishes.names]
    else:
        curves = [_measured(settings, terminal, wishes)]
    _show(curves, terminal, wishes)
    if wishes.svg is not None:
        replace_file(wishes.svg, draw(charts(curves)))
        terminal.aside(f"the charts are in {clean_line(str(wishes.svg))}")


def _check(wishes: Wishes) -> None:
    """Refuse what cannot be done, before a model is loaded."""
    if not wishes.draw and len(wishes.names) > 1:
        raise UsageError(
            f"there are {len(wishes.names)} files of tasks",
            hint="Give one. Curves that are saved are drawn together with --draw.",
        )
    if wishes.calibrate and (wishes.draw or wishes.svg or wishes.out or wishes.as_json):
        raise UsageError(
            "a calibration is no curve",
            hint="Leave out --draw, --svg, --out and --json, or --calibrate.",
        )
    for place in filter(None, (wishes.svg, wishes.out)):
        check_place(place)


def _measured(settings: Settings, terminal: Terminal, wishes: Wishes) -> Curve:
    """The curve of the tasks, measured now or before."""
    tasks = _tasks(wishes, terminal)
    llm = open_model(replace(settings, save_cache=False, draft=None), terminal)
    budgets = wishes.budgets or _usual_budgets(llm)
    arguments = _arguments(settings)
    name = Path(wishes.names[0]).stem
    with flags_named(batch_size="--batch"):
        setup = make_setup(llm, name, tasks, budgets, **arguments)
    out = wishes.out or Path(_file_name(llm.name, name, wishes.limit))
    if out.exists():
        return _found(out, setup, terminal)
    with open_journal(journal_path(out), setup) as journal:
        with (
            _left_with_a_word(journal, out, setup.count, terminal),
            flags_named(batch_size="--batch"),
        ):
            _collect(llm, tasks, budgets, journal, terminal, batch_size=wishes.batch, **arguments)
        records = (record for task in tasks for record in journal.records[task.id])
        curve = Curve(setup, tuple(records))
        replace_file(out, to_json(curve))
        journal_path(out).unlink()
    terminal.aside(f"the curve is in {clean_line(str(out))}")
    return curve


def _tasks(wishes: Wishes, terminal: Terminal) -> Sequence[Task]:
    """The tasks to be asked; says which lines are left out."""
    path = task_path(wishes.names[0])
    file = parse_tasks(path, Form(wishes.form) if wishes.form else None)
    if wishes.skip_bad:
        _tell_skipped(file, terminal)
        refuse_empty(path, file)
    else:
        refuse_bad(path, file)
    if file.left_out:
        count = "1 line is" if file.left_out == 1 else f"{file.left_out} lines are"
        terminal.aside(f"{count} left out: the file says that they are flawed")
    return file.tasks[: wishes.limit]


def _tell_skipped(file: TaskFile, terminal: Terminal) -> None:
    for bad in file.bad[:SHOWN_LINES]:
        terminal.aside(f"skipped {clean_line(str(bad))}")
    if len(file.bad) > SHOWN_LINES:
        terminal.aside(f"skipped {len(file.bad) - SHOWN_LINES} lines more")


def _usual_budgets(llm: LLM) -> Sequence[Budget]:
    return BUNDLED_BUDGETS if llm.source.kind == "bundled" else BUDGETS


def _arguments(settings: Settings) -> dict[str, Any]:
    """What is said of every reply but its budget."""
    names = ("system", "max_tokens", *_SAMPLING)
    values = {name: getattr(settings, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def _file_name(model: str, tasks: str, limit: int | None) -> str:
    """Where a curve is saved by itself: `curve-tiny-demo.json`."""
    first = "" if limit is None else f"-{limit}"
    name = f"{Path(model).name}-{tasks}{first}"
    return f"curve-{re.sub(r'[^A-Za-z0-9._-]+', '-', name)}.json"


def _found(out: Path, setup: Setup, terminal: Terminal) -> Curve:
    """The curve that is there already, if it is this one."""
    curve = read_curve(out)
    refuse_other(out, curve.setup, setup)
    terminal.aside(f"this was measured before: {clean_line(str(out))}; remove it to measure again")
    return curve


def _collect(
    llm: LLM,
    tasks: Sequence[Task],
    budgets: Sequence[Budget],
    journal: Journal,
    terminal: Terminal,
    **arguments: Any,
) -> None:
    """Asks the tasks that are not in the journal, and notes each that is done."""
    rest = [task for task in tasks if task.id not in journal.records]
    if len(rest) < len(tasks):
        terminal.aside(f"{len(tasks) - len(rest)} of {len(tasks)} tasks were done before")
    with showing_steps(terminal) as update:
        update("asking", 0, len(rest))
        for done, records in enumerate(evaluation.run(llm, rest, budgets, **arguments), 1):
            journal.note(records)
            update("asking", done, len(rest))


@contextmanager
def _left_with_a_word(
    journal: Journal, out: Path, count: int, terminal: Terminal
) -> Iterator[None]:
    """Says what an interruption leaves behind."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        kept = journal_path(out)
        terminal.aside(
            f"stopped after {len(journal.records)} of {count} tasks; they are kept in"
            f" {clean_line(str(kept))}, and the same command goes on"
        )
        raise


def _show(curves: Sequence[Curve], terminal: Terminal, wishes: Wishes) -> None:
    if wishes.as_json:
        data = [*map(as_data, curves)]
        text = json.dumps(data if wishes.draw else data[0], ensure_ascii=False, indent=2)
        terminal.data(escaped_json(text))
        return
    for line in page(curves, terminal.columns or WIDTH):
        show(line, terminal)
