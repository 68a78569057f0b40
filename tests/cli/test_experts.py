"""`experts`: the whole screen, wide and narrow, in colour and without."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import qwen3_mlx.cli.experts as command
from qwen3_mlx.cli.app import main
from qwen3_mlx.cli.heatmap import COLOURS, binned, shade
from qwen3_mlx.convert.routing import LayerRouting, Routing
from tests.cli.conftest import Invoke
from tests.cli.screen import Screen


def routed(*_: object) -> Routing:
    """What two layers of 160 experts did with 160 tokens, two experts each.

    In layer 0 an even load: expert 2i with 2i + 1, for two tokens. In layer 1 ten tokens for each
    two of the first 32, and none for the rest: five times an even load.
    """
    return Routing(160, 2, 160, (_pairwise(0, 2, 80), _pairwise(1, 10, 16)))


def _pairwise(layer: int, tokens: int, pairs: int) -> LayerRouting:
    together = tuple(
        tuple(tokens * (one // 2 == other // 2 < pairs) for other in range(160))
        for one in range(160)
    )
    return LayerRouting(layer, 160, together, ())


def run() -> None:
    """The command line of this process, with a model that routes like that."""
    vars(command)["observe"] = routed
    sys.argv[0] = "qwen3-mlx"
    main()


@pytest.fixture
def prompt(tmp_path: Path) -> Path:
    path = tmp_path / "prompt.txt"
    path.write_text("1 + 1 is 2.")
    return path


@pytest.fixture
def _routed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "observe", routed)


# Layer 1: shares 1/32 each, an entropy of ln 32 / ln 160; 10 * 160 / (10 * 10) times by chance.
PAIRS = [f"1      {f'{i} and {i + 1}':9}  10      16.0" for i in range(0, 20, 2)]
WIDE = [
    "tiny: 2 layers of 160 experts, 2 for each token; 160 tokens of prompt.txt",
    "",
    "load of experts 0 to 159, 3 in each cell",
    f"    0  {'+' * 54}",
    f"    1  {'%' * 10}*",
    "relative to an even load, which is 1; blank is none:",
    ". <1/8  : <1/4  - <1/2  = <1  + <2  * <4  % <8  @ more",
    "",
    "layer  unused  busiest  entropy",
    "0      0       1.0      1.000",
    "1      128     5.0      0.683",
    "busiest: the largest load relative to an even one. entropy: of the load; 1 is",
    "even, 0 one expert alone.",
    "",
    "chosen together, and how many times more often than by chance",
    "layer  experts    tokens  times",
    *PAIRS,
]
NARROW = [
    "tiny: 2 layers of 160 experts, 2 for",
    "each token; 160 tokens of prompt.txt",
    "",
    "load of experts 0 to 159, 5 in each cell",
    f"    0  {'+' * 32}",
    f"    1  {'%' * 6}*",
    "relative to an even load, which is 1;",
    "blank is none:",
    ". <1/8  : <1/4  - <1/2  = <1  + <2  * <4",
    "% <8  @ more",
    "",
    "layer  unused  busiest  entropy",
    "0      0       1.0      1.000",
    "1      128     5.0      0.683",
    "busiest: the largest load relative to an",
    "even one. entropy: of the load; 1 is",
    "even, 0 one expert alone.",
    "",
    "chosen together, and how many times more",
    "often than by chance",
    "layer  experts    tokens  times",
    *PAIRS,
]


@pytest.mark.usefixtures("_routed")
def test_the_whole_page_off_a_terminal(invoke: Invoke, prompt: Path) -> None:
    result = invoke("experts", "tiny", "--prompt", str(prompt))
    assert result.stdout.splitlines() == WIDE
    assert result.stderr == ""


def screen_of(prompt: Path, columns: int, *args: str, **env: str) -> Screen:
    code = "from tests.cli.test_experts import run; run()"
    program = [sys.executable, "-c", code, "experts", "tiny", "--prompt", str(prompt), *args]
    return Screen(program, columns=columns, rows=40, env=env)


@pytest.mark.parametrize(("columns", "expected"), [(80, WIDE), (40, NARROW)])
def test_the_whole_screen_without_colour(prompt: Path, columns: int, expected: list[str]) -> None:
    with screen_of(prompt, columns, NO_COLOR="1") as screen:
        assert screen.finish() == 0
        assert screen.text.splitlines() == expected
        assert b"\x1b" not in screen.raw


def test_plain_has_no_colour_either(prompt: Path) -> None:
    with screen_of(prompt, 80, "--plain") as screen:
        assert screen.finish() == 0
        assert screen.text.splitlines() == WIDE


@pytest.mark.parametrize(("columns", "expected", "cells"), [(80, WIDE, 54), (40, NARROW, 32)])
def test_the_whole_screen_in_colour(
    prompt: Path, columns: int, expected: list[str], cells: int
) -> None:
    """Blocks in place of the characters, of the colour that the legend shows."""
    with screen_of(prompt, columns, COLORTERM="truecolor") as screen:
        assert screen.finish() == 0
        lines = screen.text.splitlines()
        row = expected.index(f"    0  {'+' * cells}")
        assert lines[row] == f"    0  {'█' * cells}"
        assert lines[row + 1] == f"    1  {'█' * len(expected[row + 1].split()[1])}"
        changed = {i for i, line in enumerate(expected) if line != lines[i]}
        assert {row, row + 1} < changed <= set(range(row, row + 6))
        assert screen.cell(row, 7).fg == COLOURS[4]
        assert screen.cell(row + 1, 7).fg == COLOURS[6]


@pytest.mark.usefixtures("_routed")
def test_json_has_the_load_and_the_pairs(invoke: Invoke, prompt: Path) -> None:
    found = json.loads(invoke("experts", "tiny", "--prompt", str(prompt), "--json").stdout)
    layers = found.pop("layers")
    assert found == {
        "model": "tiny",
        "prompt": "prompt.txt",
        "experts": 160,
        "experts_per_token": 2,
        "tokens": 160,
    }
    assert layers[1]["load"] == [10] * 32 + [0] * 128
    assert (layers[1]["unused"], layers[1]["max_over_mean"]) == (128, 5)
    assert layers[1]["normalized_entropy"] == pytest.approx(0.68289, abs=1e-5)
    assert layers[1]["pairs"][0] == {"experts": [0, 1], "tokens": 10, "lift": 16}
    assert layers[0]["pairs"] == []


def test_a_text_too_short_for_pairs_says_so(
    invoke: Invoke, prompt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = Routing(160, 2, 160, (_pairwise(0, 2, 80),))
    monkeypatch.setattr(command, "observe", lambda *_: few)
    lines = invoke("experts", "tiny", "--prompt", str(prompt)).stdout.splitlines()
    assert lines[-1] == "no two experts were chosen together often enough to tell"


def test_the_bundled_model_for_real(invoke: Invoke, prompt: Path) -> None:
    """Every token goes through eight experts of each layer."""
    found = json.loads(invoke("experts", "tiny", "--prompt", str(prompt), "--json").stdout)
    assert [sum(layer["load"]) for layer in found["layers"]] == [8 * found["tokens"]] * 4


@pytest.mark.usefixtures("_routed")
def test_the_name_of_the_text_is_shown_without_what_a_terminal_obeys(
    invoke: Invoke, tmp_path: Path
) -> None:
    path = tmp_path / "a\x1b]0;title\x07\u202eb"
    path.write_text("1 + 1 is 2.")
    first, *_ = invoke("experts", "tiny", "--prompt", str(path)).stdout.splitlines()
    assert first.endswith("160 tokens of ab")


def test_a_dense_model_is_refused(invoke: Invoke, prompt: Path) -> None:
    result = invoke("experts", "tiny-dense", "--prompt", str(prompt))
    assert (result.stdout, result.exit_code) == ("", 2)
    assert "has no experts: it is a dense model" in result.stderr
    assert "Those with experts are tiny, 30b-a3b and 235b-a22b." in result.stderr


@pytest.mark.parametrize(("model", "code"), [("nowhere", 3), ("tiny", 2)])
def test_what_is_not_there(
    invoke: Invoke, tmp_path: Path, prompt: Path, model: str, code: int
) -> None:
    path = prompt if model == "nowhere" else tmp_path / "none.txt"
    result = invoke("experts", model, "--prompt", str(path))
    assert (result.stdout, result.exit_code) == ("", code)
    assert result.stderr.startswith("Error: ")


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        *((0, 0), (1e-9, 1), (0.124, 1), (0.125, 2), (0.25, 3), (0.5, 4), (0.99, 4)),
        *((1, 5), (2, 6), (4, 7), (7.9, 7), (8, 8), (1e9, 8)),
    ],
)
def test_each_shade_is_twice_the_one_before(number: float, expected: int) -> None:
    assert shade(number) == expected


def test_the_last_bin_may_have_fewer() -> None:
    assert binned([1, 3, 5, 7, 9], 2) == [2, 6, 9]
