"""`qwen3-mlx bench`: how fast a model runs here, beside others if wanted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from qwen3_mlx import measure
from qwen3_mlx.checkpoint.load import compute_dtype
from qwen3_mlx.cli.bench_page import charts, page
from qwen3_mlx.cli.bench_report import Report, as_data
from qwen3_mlx.cli.chart import draw
from qwen3_mlx.cli.choices import PeerName
from qwen3_mlx.cli.filter import clean_line, escaped_json
from qwen3_mlx.cli.heatmap import show
from qwen3_mlx.cli.loading import open_model
from qwen3_mlx.cli.options import Settings
from qwen3_mlx.cli.state import check_place, replace_file
from qwen3_mlx.cli.stated import flag_name
from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.errors import UsageError

if TYPE_CHECKING:
    from qwen3_mlx.measure import Ours, Peer, Plan, Runner, Step
    from qwen3_mlx.runtime import LLM

WIDTH = 80
"""Of a page where there is no screen."""

CHANGING = ("context", "expert_memory", "draft", "kv_bits", "max_kv")
"""Settings that change how fast a model runs."""

DIGITS = 9
"""More than any context has tokens."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is to be measured, beside whom, and how it is told.

    Attributes:
        lengths: Tokens of the prompts.
        tokens: Of each reply.
        runs: That count.
        against: Who is measured too.
        gguf: What llama.cpp gets to run.
        svg: A file for the charts.
        as_json: Whether to print one JSON object.
    """

    lengths: tuple[int, ...]
    tokens: int
    runs: int
    against: PeerName | None
    gguf: Path | None
    svg: Path | None
    as_json: bool


def parse_lengths(text: str) -> tuple[int, ...]:
    """Lengths of prompts as people write them: `128,512,2048`.

    Raises:
        UsageError: one of them is no whole number above 0, or too large a number.
    """
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if not (word.isascii() and word.isdigit() and len(word) <= DIGITS and int(word)):
            raise UsageError(
                f"{word!r} is no length of a prompt",
                hint=f"Give numbers of tokens above 0, of at most {DIGITS} digits: 128,512,2048.",
            )
    return tuple(map(int, words))


def run(settings: Settings, terminal: Terminal, wishes: Wishes) -> None:
    """Measures, and shows what it came to. Ctrl-C shows what there is so far.

    Raises:
        Qwen3Error: a wish cannot be met, the model cannot be had, or it or the peer fails; then
            nothing is shown.
        KeyboardInterrupt: (when it is shown) a person stopped it.
    """
    _check(wishes)
    holding = measure.Holding()
    llm = open_model(replace(settings, save_cache=False), terminal)
    ours = measure.Ours(llm, holding.bytes())
    plan = measure.make_plan(llm.context_length, wishes.lengths, wishes.tokens, wishes.runs)
    ours.check_room(plan.lengths[-1] + plan.tokens)
    _tell_cuts(plan, llm, terminal)
    peer = _open_peer(wishes, plan, llm, terminal)
    steps, complete = _collected(ours, [peer] if peer else [], plan, terminal)
    options = _options(settings)
    report = Report(
        model=llm.name,
        dtype=ours.dtype,
        options=options,
        load_seconds=llm.load_seconds,
        where=measure.where(),
        plan=plan,
        rows=measure.rows(steps),
        peer=peer,
        peer_note=_peer_note(wishes, options),
        complete=complete,
    )
    _show(report, terminal, as_json=wishes.as_json)
    _save(report, wishes.svg, terminal)
    if not complete:
        raise KeyboardInterrupt


def _check(wishes: Wishes) -> None:
    """Refuse what cannot be done, before a model is loaded."""
    if (wishes.gguf is not None) is not (wishes.against is PeerName.LLAMA_CPP):
        raise UsageError(
            "--against llama.cpp and --gguf FILE go together",
            hint="llama.cpp reads the model from a GGUF file, and nobody else does.",
        )
    if wishes.svg is not None:
        check_place(wishes.svg)
    if wishes.gguf is not None:
        measure.check_llama_cpp(wishes.gguf)
    elif wishes.against is not None:
        measure.check_mlx_lm()


def _tell_cuts(plan: Plan, llm: LLM, terminal: Terminal) -> None:
    for length in plan.too_long:
        terminal.aside(
            f"{length} tokens and a reply do not fit into {llm.context_length}:"
            f" measured at {plan.lengths[-1]}"
        )


def _open_peer(wishes: Wishes, plan: Plan, llm: LLM, terminal: Terminal) -> Peer | None:
    if wishes.against is None:
        return None

    def prompt(length: int) -> list[int]:
        return measure.prompt_ids(llm.tokenizer, length)

    with terminal.busy(f"loading it with {wishes.against}"):
        if wishes.gguf is not None:
            context = plan.lengths[-1] + plan.tokens
            return measure.open_llama_cpp(wishes.gguf, prompt, llm.clock, context)
        return measure.open_mlx_lm(llm.path, prompt, llm.clock, compute_dtype(None))


def _options(settings: Settings) -> dict[str, str | int]:
    """Those given that change how the model runs, by their flags."""
    values = {flag_name(name): getattr(settings, name) for name in CHANGING}
    return {flag: value for flag, value in values.items() if value is not None}


def _peer_note(wishes: Wishes, options: Mapping[str, object]) -> str:
    """How the peer was set, and on what."""
    if wishes.gguf is not None:
        note = f"its own defaults, on {clean_line(wishes.gguf.name)}"
    elif (dtype := compute_dtype(None)) is None:
        note = "its own type, on the same files"
    else:
        note = f"set to {str(dtype).removeprefix('mlx.core.')}, on the same files"
    return f"{note}, without those options" if options else note


def _collected(
    ours: Ours, peers: list[Runner], plan: Plan, terminal: Terminal
) -> tuple[list[Step], bool]:
    """All steps of a plan, or those up to Ctrl-C; and whether they are all."""
    coming = measure.steps(ours, peers, plan)
    steps: list[Step] = []
    try:
        for number in range(plan.steps):
            done = f"{number / plan.steps:.0%}"
            with terminal.busy(f"measuring, {done} done; Ctrl-C shows what there is"):
                steps.append(next(coming))
    except KeyboardInterrupt:
        return steps, False
    return steps, True


def _show(report: Report, terminal: Terminal, *, as_json: bool) -> None:
    if as_json:
        terminal.data(escaped_json(json.dumps(as_data(report), ensure_ascii=False, indent=2)))
        return
    for line in page(report, terminal.columns or WIDTH):
        show(line, terminal)


def _save(report: Report, path: Path | None, terminal: Terminal) -> None:
    if path is None or not report.rows:
        return
    replace_file(path, draw(charts(report)))
    terminal.aside(f"the charts are in {clean_line(str(path))}")
