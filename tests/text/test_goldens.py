"""Our renderers against what transformers makes of the published templates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qwen3_mlx.text.pieces import plain
from qwen3_mlx.text.qwen3_format import (
    HYBRID,
    INSTRUCT_2507,
    INSTRUCT_2507_MLX,
    THINKING_2507,
    Qwen3Format,
)
from qwen3_mlx.text.sandbox import render_in_sandbox
from qwen3_mlx.text.template import load_template
from qwen3_mlx.text.tokenizer import Tokenizer

BRANCHES = {
    "hybrid": HYBRID,
    "thinking": THINKING_2507,
    "instruct": INSTRUCT_2507,
    "instruct_mlx": INSTRUCT_2507_MLX,
}


def spelled(form: Qwen3Format, goldens: dict[str, Any], case: dict[str, Any]) -> str:
    talk = goldens["conversations"][case["name"]]
    pieces = form.render(
        talk["messages"],
        tools=talk["tools"] or (),
        thinking=case.get("enable_thinking", True),
        add_generation_prompt=case["open"],
    )
    return plain(pieces)


def variables(goldens: dict[str, Any], case: dict[str, Any]) -> dict[str, Any]:
    """What transformers hands to a template; an absent switch stays absent."""
    given = {**goldens["conversations"][case["name"]], "add_generation_prompt": case["open"]}
    if "enable_thinking" in case:
        given["enable_thinking"] = case["enable_thinking"]
    return given


def test_the_goldens_cover_what_they_should(goldens: dict[str, Any]) -> None:
    hybrid = [case for case in goldens["cases"] if case["branch"] == "hybrid"]
    assert len({case["name"] for case in hybrid}) >= 60
    assert {case.get("enable_thinking") for case in hybrid} == {None, True, False}


def test_our_rendering_equals_transformers(goldens: dict[str, Any]) -> None:
    for case in goldens["cases"]:
        text = spelled(BRANCHES[case["branch"]], goldens, case)
        assert text == case["text"], (case["branch"], case["name"])


def test_our_own_template_equals_qwens(goldens: dict[str, Any], model_files: Path) -> None:
    source = (model_files / "chat_template.jinja").read_text(encoding="utf-8")
    cases = [case for case in goldens["cases"] if case["branch"] == "hybrid"]
    texts = render_in_sandbox("ours", source, [variables(goldens, case) for case in cases])
    for case, text in zip(cases, texts, strict=True):
        assert text == case["text"], case["name"]


def test_qwens_template_in_our_sandbox_equals_transformers(
    goldens: dict[str, Any], real_source: str
) -> None:
    cases = [case for case in goldens["cases"] if case["branch"] == "hybrid"]
    texts = render_in_sandbox("Qwen's", real_source, [variables(goldens, case) for case in cases])
    for case, text in zip(cases, texts, strict=True):
        assert text == case["text"], case["name"]


def test_ids_equal_transformers(
    goldens: dict[str, Any], real_files: Path, real_tokenizer: Tokenizer
) -> None:
    template = load_template(real_files, real_tokenizer)
    cases = [case for case in goldens["cases"] if case["branch"] == "hybrid" and "ids" in case]
    assert len(cases) >= 60
    for case in cases:
        talk = goldens["conversations"][case["name"]]
        pieces = template.render(
            talk["messages"],
            tools=talk["tools"],
            thinking=case.get("enable_thinking", True),
            add_generation_prompt=case["open"],
        )
        assert real_tokenizer.encode_pieces(pieces) == case["ids"], case["name"]
