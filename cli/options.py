"""The options that the commands share, each defined once, and the values they come to.

Knows names, help texts and what a person may write. Loads nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias, get_type_hints

import typer

from qwen3_mlx.cli.choices import Show, Switch
from qwen3_mlx.errors import UsageError
from qwen3_mlx.generation.thinking import AutoBudget, parse_auto

if TYPE_CHECKING:
    from qwen3_mlx.generation.mode import Thinking


@dataclass(frozen=True, slots=True)
class Budget:
    """A budget that a person gave: tokens, None for no end, or one that sets itself."""

    limit: int | AutoBudget | None


BUDGET_DIGITS = 9
"""More than any context has tokens."""


def parse_budget(text: str) -> Budget:
    """A budget as people write it.

    Raises:
        UsageError: neither a whole number >= 0 nor `none` nor `auto`, or too large a number.
    """
    word = text.strip().lower()
    if word == "none":
        return Budget(None)
    if word.startswith("auto"):
        return Budget(parse_auto(word))
    if not (word.isascii() and word.isdigit()):
        raise UsageError(
            f"{text!r} is no thinking budget",
            hint="Give a number of tokens, like 512, 0 for no thinking, none for no end, or auto.",
        )
    if len(word.lstrip("0")) > BUDGET_DIGITS:
        raise UsageError(
            f"a thinking budget of {BUDGET_DIGITS + 1} digits or more is too large",
            hint="Give none for no end.",
        )
    return Budget(int(word))


def refusal(error: typer.TyperException) -> str:
    """Why a flag does not take its text, without the words of the validator behind it."""
    return error.message.removeprefix("Value error, ")


def _budget_option(text: str) -> Budget:
    try:
        return parse_budget(text)
    except UsageError as error:
        raise typer.BadParameter(f"{error.message}. {error.hint}") from error


def _pattern_option(text: str) -> str:
    """The text as it is, once it is a pattern."""
    from qwen3_mlx.cli.redact import compiled

    try:
        return compiled(text).pattern
    except UsageError as error:
        raise typer.BadParameter(f"{error.message}. {error.hint}") from error


def _expert_memory_option(text: str) -> str:
    """The text as it is, once it is an amount of memory."""
    from qwen3_mlx.checkpoint.expert_memory import parse_expert_memory

    try:
        return parse_expert_memory(text).text
    except UsageError as error:
        raise typer.BadParameter(f"{error.message}. {error.hint}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a person asked of a model and its replies; None leaves it to the model.

    Raises:
        UsageError: two options contradict each other.
    """

    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            metavar="NAME",
            help="A bundled model, a size like 8b, a Hugging Face repository or a folder.",
        ),
    ] = None
    budget: Annotated[
        Budget | None,
        typer.Option(
            "--budget",
            "-b",
            parser=_budget_option,
            metavar="N|none|auto",
            help="Think for at most N tokens; auto: as the prompt needs."
            " A real Qwen3 loses quality below about 1024.",
        ),
    ] = None
    thinking: Annotated[
        Switch | None,
        typer.Option(
            "--thinking", help="Whether to think before answering; auto: not to look things up."
        ),
    ] = None
    think: Annotated[
        bool | None, typer.Option("--think/--no-think", help="The same, for short.")
    ] = None
    thoughts: Annotated[
        Show,
        typer.Option(
            "--thoughts",
            help="Show their last lines, all, none, or none but one sentence about them.",
        ),
    ] = Show.WINDOW
    redact: Annotated[
        list[str] | None,
        typer.Option(
            "--redact",
            parser=_pattern_option,
            metavar="REGEX",
            help="Show and keep [redacted] for what matches; may be repeated.",
        ),
    ] = None
    system: Annotated[
        str | None, typer.Option("--system", metavar="TEXT", help="The system prompt.")
    ] = None
    max_tokens: Annotated[
        int | None,
        typer.Option(
            "--max-tokens",
            min=1,
            metavar="N",
            help="At most N tokens, thinking and answer together.",
        ),
    ] = None
    context: Annotated[
        int | None,
        typer.Option(
            "--context",
            min=1,
            metavar="N",
            help="Room for N tokens; more than the model's own length turns YaRN on.",
        ),
    ] = None
    expert_memory: Annotated[
        str | None,
        typer.Option(
            "--expert-memory",
            parser=_expert_memory_option,
            metavar="6GB|40%|auto",
            help="Keep so much of a mixture's experts in memory, the others on disk.",
        ),
    ] = None
    draft: Annotated[
        str | None,
        typer.Option(
            "--draft",
            metavar="NAME|lookup",
            help="Guess ahead, by a smaller model or from the text; the reply is the same.",
        ),
    ] = None
    kv_bits: Annotated[
        int | None,
        typer.Option(
            "--kv-bits",
            metavar="8|4",
            help="Round keys and values from 1024 tokens on: a long context takes less memory.",
        ),
    ] = None
    max_kv: Annotated[
        int | None,
        typer.Option(
            "--max-kv",
            metavar="N",
            help="Remember the first tokens and the last ones alone, N together.",
        ),
    ] = None
    temp: Annotated[
        float | None,
        typer.Option(
            "--temp",
            min=0.0,
            max=1000.0,  # as `Sampling` has it
            metavar="T",
            help="Temperature; 0 takes the likeliest token.",
        ),
    ] = None
    top_p: Annotated[
        float | None,
        typer.Option(
            "--top-p",
            min=0.0,
            max=1.0,
            metavar="P",
            help="Draw from the likeliest tokens that make up P of the probability.",
        ),
    ] = None
    top_k: Annotated[
        int | None,
        typer.Option(
            "--top-k", min=0, metavar="K", help="Draw from the K likeliest tokens; 0 for all."
        ),
    ] = None
    min_p: Annotated[
        float | None,
        typer.Option(
            "--min-p",
            min=0.0,
            max=1.0,
            metavar="P",
            help="Drop tokens less likely than P times the likeliest.",
        ),
    ] = None
    seed: Annotated[
        int | None,
        typer.Option("--seed", min=0, metavar="N", help="The same seed, the same text."),
    ] = None
    save_cache: Annotated[
        bool,
        typer.Option(
            "--save-cache/--no-save-cache",
            help="Save what the model has read for the next time: gigabytes for a large model.",
        ),
    ] = False
    wired: Annotated[
        bool,
        typer.Option(
            "--wired/--no-wired",
            help="Keep the model in memory, on macOS. Others saw kernel panics with it.",
        ),
    ] = False
    offline: Annotated[
        bool, typer.Option("--offline/--no-offline", help="Never use the network.")
    ] = False
    plain: Annotated[
        bool,
        typer.Option(
            "--plain/--no-plain",
            help="Plain lines: no colours, nothing rewritten; for screen readers.",
        ),
    ] = False

    def __post_init__(self) -> None:
        if None not in (self.thinking, self.think) and self.think is not self.thinks:
            raise UsageError(
                f"--thinking {self.thinking} contradicts --{'think' if self.think else 'no-think'}",
                hint="Give one of the two.",
            )

    @property
    def thinks(self) -> Thinking | None:
        """The wish behind `--thinking` and its short forms."""
        return self.think if self.thinking is None else self.thinking.thinks


SHORT_FORMS = {"think": "thinking"}
"""Options that say another one for short."""

KINDS = {name: kind for name, kind in get_type_hints(Settings).items() if name not in SHORT_FORMS}
"""The settings there are, in the order of their options, and the type of each."""

LOADING = frozenset(
    {"model", "context", "expert_memory", "draft", "kv_bits", "max_kv", "wired", "offline", "plain"}
)
"""Settings that matter where a model is loaded and nothing is said to it."""


ANSWERING = frozenset(
    {"model", "context", "expert_memory", "wired", "offline", "plain"}
    | {"system", "max_tokens", "temp", "top_p", "top_k", "min_p", "seed"}
)
"""Settings that matter where many prompts are answered together, within budgets of their own."""

NewFolder: TypeAlias = Annotated[Path, typer.Argument(metavar="DST", help="Folder to create.")]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Force: TypeAlias = Annotated[bool, typer.Option("--force", help="Replace DST if it is a model.")]
ChartFile: TypeAlias = Annotated[
    Path | None, typer.Option("--svg", metavar="FILE", help="Write the charts to FILE too.")
]
