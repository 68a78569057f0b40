"""What `qwen3-mlx bench` shows of its figures: tables and bars, and charts.

Knows how figures look. Does not know how they came about.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence

from qwen3_mlx.cli.bars import Group, bars
from qwen3_mlx.cli.bench_report import RATES, Report
from qwen3_mlx.cli.chart import Chart, Series
from qwen3_mlx.cli.filter import clean_line
from qwen3_mlx.cli.heatmap import Line
from qwen3_mlx.cli.tables import columns
from qwen3_mlx.measure import OURS, Figures, Row, Spread
from qwen3_mlx.memory import shown_bytes

HEAD = ("prompt", "prefill", "decode", "first token", "next turn", "memory")
MEANING = (
    "prefill and decode: tokens a second. first token: when nothing was read before; next turn:"
    " when all but a short question was. memory: at most, weights included."
)
UNKNOWN = "–"


def page(report: Report, width: int) -> Iterator[Line]:
    """The whole page for a screen of that width."""
    yield from _paragraph(_title(report), width)
    if not report.complete:
        yield from _paragraph(_stopped(report), width)
    if not report.rows:
        return
    yield [""]
    yield from _lines(columns(HEAD, [_cells(row) for row in report.rows], width))
    steadiness = f" {_steadiness(report)}" if report.plan.runs > 1 else ""
    yield from _paragraph(f"{MEANING}{steadiness}", width)
    yield from _guesses(report, width)
    yield from _comparison(report, width)
    for name, rate in RATES:
        yield [""]
        yield [f"{name}, tokens a second"]
        yield from bars(_groups(report, rate), width)


def charts(report: Report) -> list[Chart]:
    """Prefill and decode over the length of the prompt."""
    stopped = "" if report.complete else " (incomplete)"
    return [
        Chart(
            title=f"{report.model} on {report.where.device}: {name}{stopped}",
            x="tokens of the prompt",
            y="tokens a second",
            series=[
                Series(of, [(row.length, rate(row.figures[of]).median) for row in report.rows])
                for of in report.names
            ],
        )
        for name, rate in RATES
    ]


def _title(report: Report) -> str:
    where = report.where
    device = f"{clean_line(where.device)}, {'GPU' if where.gpu else 'CPU'}"
    options = "".join(f", --{flag} {value}" for flag, value in report.options.items())
    return (
        f"{clean_line(report.model)} on {device}: {report.dtype}, MLX"
        f" {where.mlx}{clean_line(options)}; loaded in"
        f" {_seconds(report.load_seconds)}. {_runs(report)}, greedy."
    )


def _runs(report: Report) -> str:
    if report.plan.runs == 1:
        return f"One run of {report.plan.tokens} tokens"
    return f"Medians of {report.plan.runs} runs, {report.plan.tokens} tokens each"


def _stopped(report: Report) -> str:
    if not report.rows:
        return "incomplete: stopped before anything was measured"
    wanted = len(report.plan.lengths) * report.plan.runs
    runs, turns = sum(row.rounds for row in report.rows), sum(row.turns for row in report.rows)
    return f"incomplete: stopped after {runs} of {wanted} runs and {turns} of {wanted} next turns"


def _cells(row: Row) -> tuple[str, ...]:
    ours = row.figures[OURS]
    return (
        f"{row.length:>6}",
        _rate(ours.prefill.median),
        _rate(ours.decode.median),
        _seconds(ours.first_token.median),
        _seconds(row.next_turn.median) if row.next_turn else UNKNOWN,
        _memory(ours.peak_memory_bytes),
    )


def _steadiness(report: Report) -> str:
    """How far runs were from their medians."""
    spreads = [
        rate(figures)
        for row in report.rows
        for figures in row.figures.values()
        for _, rate in RATES
    ]
    farthest = max(map(_farthest, spreads))
    return f"No run was farther than {farthest:.0%} from its median."


def _farthest(spread: Spread) -> float:
    """The most that a run was from the median, relative to it."""
    farthest = max(spread.most - spread.median, spread.median - spread.least)
    return farthest / spread.median if spread.median else 0.0


def _guesses(report: Report, width: int) -> Iterator[Line]:
    """What guessing ahead came to; replies end where they want to, so their lengths are told."""
    for row in report.rows:
        ours = row.figures[OURS]
        if not ours.drafted and ours.tokens == report.plan.tokens:
            continue
        right = f", {ours.accepted} of {ours.drafted} guesses right" if ours.drafted else ""
        yield from _paragraph(f"after {row.length}: replies of {ours.tokens} tokens{right}", width)


def _comparison(report: Report, width: int) -> Iterator[Line]:
    peer = report.peer
    if peer is None:
        return
    yield [""]
    yield from _paragraph(
        f"beside {peer.name} {peer.version}, {report.peer_note}, in turn; it loaded in"
        f" {_seconds(peer.load_seconds)}",
        width,
    )
    rows = [cells for row in report.rows for cells in _compared(row, peer.name)]
    yield from _lines(columns(("prompt", "", OURS, peer.name, "ratio"), rows, width))
    for row in report.rows:
        if row.same_ids(OURS, peer.name) is False:
            yield from _paragraph(f"after {row.length} the two said different tokens", width)


def _compared(row: Row, peer: str) -> Iterator[tuple[str, ...]]:
    ours, theirs = row.figures[OURS], row.figures[peer]
    label = f"{row.length:>6}"
    for name, rate in RATES:
        yield (
            label,
            name,
            _rate(rate(ours).median),
            _rate(rate(theirs).median),
            _ratio(row.ratio(rate, OURS, peer)),
        )
        label = " " * len(label)
    yield label, "memory", _memory(ours.peak_memory_bytes), _memory(theirs.peak_memory_bytes), ""


def _groups(report: Report, rate: Callable[[Figures], Spread]) -> list[Group]:
    names = report.names
    return [
        Group(
            str(row.length),
            [(of if len(names) > 1 else "", rate(row.figures[of]).median) for of in names],
        )
        for row in report.rows
    ]


def _paragraph(text: str, width: int) -> Iterator[Line]:
    return _lines(textwrap.wrap(text, width))


def _lines(lines: Sequence[str]) -> Iterator[Line]:
    for line in lines:
        yield [line]


def _ratio(ratio: Spread | None) -> str:
    if ratio is None:
        return UNKNOWN
    return f"{ratio.median:.2f}x ({ratio.least:.2f}-{ratio.most:.2f})"


def _rate(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}" if value else UNKNOWN


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value >= 10 else f"{value:.3f} s"


def _memory(value: int | None) -> str:
    return UNKNOWN if value is None else shown_bytes(value)
