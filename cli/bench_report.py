"""What `qwen3-mlx bench` found, as one value, and as data for scripts.

Knows which figures there are. Does not know how they look.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from qwen3_mlx.measure import OURS, Figures, Peer, Plan, Row, Spread, Where

RATES: tuple[tuple[str, Callable[[Figures], Spread]], ...] = (
    ("prefill", lambda figures: figures.prefill),
    ("decode", lambda figures: figures.decode),
)


@dataclass(frozen=True, slots=True)
class Report:
    """All that was found.

    Attributes:
        model: Its name.
        dtype: What it computes in.
        options: Those given that change how it runs, by their flags.
        load_seconds: That loading it took.
        where: It was measured.
        plan: What was to be measured.
        rows: What was.
        peer: Who ran beside it.
        peer_note: How the peer was set, and on what.
        complete: False where a person stopped it.
    """

    model: str
    dtype: str
    options: Mapping[str, str | int]
    load_seconds: float
    where: Where
    plan: Plan
    rows: Sequence[Row]
    peer: Peer | None
    peer_note: str
    complete: bool

    @property
    def names(self) -> list[str]:
        """Of all who ran."""
        return [OURS] if self.peer is None else [OURS, self.peer.name]


def as_data(report: Report) -> dict[str, Any]:
    """The same for scripts; seconds, bytes, and tokens a second."""
    peer = report.peer
    return {
        "model": report.model,
        "dtype": report.dtype,
        "options": dict(report.options),
        **asdict(report.where),
        "complete": report.complete,
        "runs": report.plan.runs,
        "tokens": report.plan.tokens,
        "load_seconds": report.load_seconds,
        "against": peer
        and {
            "name": peer.name,
            "version": peer.version,
            "note": report.peer_note,
            "load_seconds": peer.load_seconds,
        },
        "lengths": [_row_data(row, report) for row in report.rows],
    }


def _row_data(row: Row, report: Report) -> dict[str, Any]:
    data: dict[str, Any] = {
        "prompt_tokens": row.length,
        "runs": row.rounds,
        "next_turns": row.turns,
        **_figures_data(row.figures[OURS]),
        "next_turn_seconds": _spread_data(row.next_turn),
        "next_turn": row.last_turn
        and {
            "cached_tokens": row.last_turn.cached_tokens,
            "prompt_tokens": row.last_turn.prompt_tokens,
        },
    }
    if report.peer is not None:
        name = report.peer.name
        data["against"] = {
            **_figures_data(row.figures[name]),
            **{f"{of}_ratio": _spread_data(row.ratio(rate, OURS, name)) for of, rate in RATES},
            "same_tokens": row.same_ids(OURS, name),
        }
    return data


def _figures_data(figures: Figures) -> dict[str, Any]:
    return {
        "prefill_tokens_per_second": _spread_data(figures.prefill),
        "decode_tokens_per_second": _spread_data(figures.decode),
        "first_token_seconds": _spread_data(figures.first_token),
        "peak_memory_bytes": figures.peak_memory_bytes,
        "decoded_tokens": figures.tokens,
        "drafted_tokens": figures.drafted,
        "accepted_tokens": figures.accepted,
    }


def _spread_data(spread: Spread | None) -> dict[str, float] | None:
    if spread is None:
        return None
    return {"median": spread.median, "least": spread.least, "most": spread.most}
