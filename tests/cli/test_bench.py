"""`bench`: whole screens, JSON, interruptions and refusals, of speeds that are known."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

import qwen3_mlx
from qwen3_mlx import measure
from qwen3_mlx.cli import bench
from qwen3_mlx.cli.heatmap import COLOURS
from qwen3_mlx.errors import NonFiniteError, Qwen3Error
from tests.cli.bench_fakes import BenchLLM, install
from tests.cli.conftest import Invoke
from tests.cli.screen import Screen

ASKED = ("bench", "--prompt-tokens", "400,100", "--tokens", "11", "--runs", "3")
TITLE = [
    "tiny on a test chip, CPU: float32, MLX 0.32.4; loaded in 0.500 s. Medians of 3",
    "runs, 11 tokens each, greedy.",
]
TABLE = [
    "prompt  prefill  decode  first token  next turn  memory",
    "   100  1000     50      0.100 s      0.050 s    24.0 MB",
    "   400  1000     50      0.400 s      0.050 s    24.0 MB",
    "prefill and decode: tokens a second. first token: when nothing was read before;",
    "next turn: when all but a short question was. memory: at most, weights included.",
    "No run was farther than 20% from its median.",
]
COMPARED = [
    "beside mlx-lm 0.32.2, set to float32, on the same files, in turn; it loaded in",
    "0.250 s",
    "prompt           qwen3-mlx  mlx-lm  ratio",
    "   100  prefill  1000       500     2.00x (2.00-2.00)",
    "        decode   50         40      1.25x (1.25-1.25)",
    "        memory   24.0 MB    –",
    "   400  prefill  1000       500     2.00x (2.00-2.00)",
    "        decode   50         40      1.25x (1.25-1.25)",
    "        memory   24.0 MB    –",
]
# The longest bar takes what two names and the longest number leave: 80 - 18 - 5, and 80 - 18 - 3.
PREFILL = [
    "prefill, tokens a second",
    f"  100  qwen3-mlx  {'+' * 57} 1000",
    f"       mlx-lm     {'-' * 28} 500",
    f"  400  qwen3-mlx  {'+' * 57} 1000",
    f"       mlx-lm     {'-' * 28} 500",
]
DECODE = [
    "decode, tokens a second",
    f"  100  qwen3-mlx  {'+' * 59} 50",
    f"       mlx-lm     {'-' * 47} 40",
    f"  400  qwen3-mlx  {'+' * 59} 50",
    f"       mlx-lm     {'-' * 47} 40",
]
WIDE = [*TITLE, "", *TABLE, "", *COMPARED, "", *PREFILL, "", *DECODE]
NARROW = [
    "tiny on a test chip, CPU: float32, MLX",
    "0.32.4; loaded in 0.500 s. Medians of 3",
    "runs, 11 tokens each, greedy.",
    "",
    "prompt  prefill  decode  first token",
    "    next turn  memory",
    "   100  1000     50      0.100 s",
    "    0.050 s  24.0 MB",
    "   400  1000     50      0.400 s",
    "    0.050 s  24.0 MB",
    "prefill and decode: tokens a second.",
    "first token: when nothing was read",
    "before; next turn: when all but a short",
    "question was. memory: at most, weights",
    "included. No run was farther than 20%",
    "from its median.",
    "",
    "prefill, tokens a second",
    f"  100  {'+' * 28} 1000",
    f"  400  {'+' * 28} 1000",
    "",
    "decode, tokens a second",
    f"  100  {'+' * 30} 50",
    f"  400  {'+' * 30} 50",
]


@pytest.fixture(autouse=True)
def _put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `install` replaces is there again afterwards."""
    monkeypatch.setattr(qwen3_mlx, "load", qwen3_mlx.load)
    monkeypatch.setattr(bench, "compute_dtype", vars(bench)["compute_dtype"])
    for name in ("open_mlx_lm", "check_mlx_lm", "where"):
        monkeypatch.setattr(measure, name, vars(measure)[name])


def screen_of(columns: int, *args: str, code: str = "run()", **env: str) -> Screen:
    program = [sys.executable, "-c", f"from tests.cli.bench_fakes import *; {code}", *args]
    return Screen(program, columns=columns, rows=45, env=env)


def test_the_whole_page_off_a_terminal(invoke: Invoke) -> None:
    install()
    result = invoke(*ASKED, "--against", "mlx-lm")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == WIDE


@pytest.mark.parametrize(
    ("columns", "args", "expected"),
    [(80, ("--against", "mlx-lm"), WIDE), (40, (), NARROW)],
)
def test_the_whole_screen_without_colour(
    columns: int, args: tuple[str, ...], expected: list[str]
) -> None:
    with screen_of(columns, *ASKED, *args, NO_COLOR="1") as screen:
        assert screen.finish() == 0
        assert screen.text.splitlines() == expected
        assert b"\x1b" not in screen.raw


def test_the_bars_are_coloured_by_who_they_are_of() -> None:
    with screen_of(80, *ASKED, "--against", "mlx-lm", COLORTERM="truecolor") as screen:
        assert screen.finish() == 0
        lines = screen.text.splitlines()
        row = len(WIDE) - len(DECODE) + 1
        assert lines == [*WIDE[: -len(DECODE) - len(PREFILL) - 1], *blocks([*PREFILL, "", *DECODE])]
        assert screen.cell(row, 18).fg == COLOURS[4]
        assert screen.cell(row + 1, 18).fg == COLOURS[2]


def test_one_run_has_no_median(invoke: Invoke) -> None:
    install()
    said = " ".join(invoke(*ASKED, "--runs", "1").stdout.split())
    assert "loaded in 0.500 s. One run of 11 tokens, greedy." in said
    assert "edian" not in said


def blocks(lines: list[str]) -> list[str]:
    """The bars as blocks, and no hyphen of a name as one."""
    return [f"{line[:18]}{line[18:].replace('+', '█').replace('-', '█')}" for line in lines]


def test_the_first_run_and_a_slow_one_do_not_move_the_median(invoke: Invoke) -> None:
    """Speeds of 1000 and 800 a second: a first token after 0.1 and 0.125 s; the run at 9 x not."""
    install()
    data = json.loads(invoke(*ASKED, "--json").stdout)
    lengths = data.pop("lengths")
    assert data == {
        "model": "tiny",
        "dtype": "float32",
        "options": {},
        "device": "a test chip",
        "gpu": False,
        "mlx": "0.32.4",
        "program": "1.2.3",
        "complete": True,
        "runs": 3,
        "tokens": 11,
        "load_seconds": 0.5,
        "against": None,
    }
    assert [length["prompt_tokens"] for length in lengths] == [100, 400]
    first = lengths[0]
    assert first["prefill_tokens_per_second"] == approx(median=1000, least=800, most=1000)
    assert first["decode_tokens_per_second"] == approx(median=50, least=40, most=50)
    assert first["first_token_seconds"] == approx(median=0.1, least=0.1, most=0.125)
    assert first["next_turn_seconds"] == approx(median=0.05, least=0.05, most=0.05)
    # 100 - 32 letters of text and "Yes." are cached, "2 + 3 = ?" is new.
    assert first["next_turn"] == {"cached_tokens": 72, "prompt_tokens": 81}
    assert first["peak_memory_bytes"] == pytest.approx(24e6, rel=0.01)
    counts = ("runs", "next_turns", "decoded_tokens", "drafted_tokens", "accepted_tokens")
    assert [first[name] for name in counts] == [3, 3, 11, 0, 0]


def approx(**numbers: float) -> object:
    return pytest.approx(numbers)


def test_json_has_the_peer_and_the_ratios(invoke: Invoke) -> None:
    install()
    data = json.loads(invoke(*ASKED, "--json", "--against", "mlx-lm").stdout)
    assert data["against"] == {
        "name": "mlx-lm",
        "version": "0.32.2",
        "note": "set to float32, on the same files",
        "load_seconds": 0.25,
    }
    peer = data["lengths"][0]["against"]
    assert peer["prefill_tokens_per_second"] == approx(median=500, least=400, most=500)
    assert peer["prefill_ratio"] == approx(median=2, least=2, most=2)
    assert peer["decode_ratio"] == approx(median=1.25, least=1.25, most=1.25)
    assert (peer["same_tokens"], peer["peak_memory_bytes"]) == (True, None)


def test_what_a_prompt_is_cut_down_to_is_said(invoke: Invoke) -> None:
    """A second question needs 64 tokens of the 4096."""
    install()
    result = invoke("bench", "--prompt-tokens", "5000,4032,9000", "--runs", "1", "--json")
    assert result.stderr == (
        "[5000 tokens and a reply do not fit into 4096: measured at 4032]\n"
        "[9000 tokens and a reply do not fit into 4096: measured at 4032]\n"
    )
    assert [length["prompt_tokens"] for length in json.loads(result.stdout)["lengths"]] == [4032]


def test_a_draft_is_measured_in_replies(invoke: Invoke) -> None:
    """6 tokens in 0.1 s after the first, 4 guesses in each of 3 runs."""
    install().drafting = object()
    lines = invoke(*ASKED, "--draft", "lookup", "--kv-bits", "8").stdout.splitlines()
    assert " ".join(lines[:2]).startswith(
        "tiny on a test chip, CPU: float32, MLX 0.32.4, --draft lookup, --kv-bits 8; loaded"
    )
    assert lines[4].split()[:3] == ["100", "1000", "50"]
    assert "after 100: replies of 6 tokens, 9 of 12 guesses right" in lines


def test_only_the_options_of_loading_are_taken(invoke: Invoke) -> None:
    llm = install()
    asked = ("-m", "8b", "--context", "4096", "--max-kv", "512", "--offline")
    assert invoke("bench", "--runs", "1", *asked).exit_code == 0
    assert llm.loaded["name"] == "8b"
    kept = {name: llm.loaded[name] for name in ("context", "max_kv", "offline", "save_cache")}
    assert kept == {"context": 4096, "max_kv": 512, "offline": True, "save_cache": False}
    assert invoke("bench", "--temp", "1").exit_code == 2


def test_a_configured_cache_on_the_disk_is_not_used(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QWEN3_MLX_SAVE_CACHE", "1")
    llm = install()
    invoke("bench", "--runs", "1")
    assert llm.loaded["save_cache"] is False


def test_the_chart_shows_the_medians(invoke: Invoke, tmp_path: Path) -> None:
    install()
    path = tmp_path / "bench.svg"
    result = invoke(*ASKED, "--against", "mlx-lm", "--svg", str(path))
    assert result.stderr == f"[the charts are in {path}]\n"
    drawn = ElementTree.XML(path.read_text("utf-8"))
    texts = [element.text for element in drawn.iter() if element.tag.endswith("}text")]
    assert texts.count("qwen3-mlx") == texts.count("mlx-lm") == 2
    assert "tiny on a test chip: decode" in texts


def stopped_in(run: int) -> BenchLLM:
    return install((run, KeyboardInterrupt()))


def test_an_interruption_leaves_what_was_measured(invoke: Invoke, tmp_path: Path) -> None:
    """The seventh run is the third at 400 tokens: one before it has counted there."""
    stopped_in(7)
    result = invoke(*ASKED, "--svg", str(tmp_path / "part.svg"))
    assert result.exit_code == 130
    lines = result.stdout.splitlines()
    assert lines[2] == "incomplete: stopped after 4 of 6 runs and 3 of 6 next turns"
    assert lines[5:7] == [
        "   100  1000     50      0.100 s      0.050 s    24.0 MB",
        "   400  1000     50      0.400 s      –          24.0 MB",
    ]
    assert "prefill (incomplete)" in (tmp_path / "part.svg").read_text()


def test_interrupted_json_says_that_it_is_incomplete(invoke: Invoke) -> None:
    stopped_in(7)
    result = invoke(*ASKED, "--json")
    data = json.loads(result.stdout)
    assert (result.exit_code, data["complete"]) == (130, False)
    assert [length["runs"] for length in data["lengths"]] == [3, 1]
    assert data["lengths"][1]["next_turn"] is None


def test_an_interruption_while_warming_up_leaves_nothing(invoke: Invoke, tmp_path: Path) -> None:
    stopped_in(1)
    result = invoke(*ASKED, "--svg", str(tmp_path / "none.svg"))
    assert result.exit_code == 130
    assert result.stdout.splitlines() == [
        *TITLE,
        "incomplete: stopped before anything was measured",
    ]
    assert list(tmp_path.glob("*.svg")) == []


SLEEPS = """
import time
class Sleeper(BaseException):
    pass
class Slow(BenchLLM):
    runs = 0
    def stream_ids(self, ids, max_tokens):
        self.runs += 1
        if self.runs == 3:
            print("asleep", file=sys.stderr, flush=True)
            time.sleep(60)
        return super().stream_ids(ids, max_tokens)
llm = install()
vars(qwen3_mlx).update(load=Slow().load)
sys.argv[0] = "qwen3-mlx"
main()
"""


def test_ctrl_c_as_the_key_that_it_is() -> None:
    with screen_of(80, *ASKED, code=f"exec({SLEEPS!r})", NO_COLOR="1") as screen:
        screen.wait_for("asleep")
        screen.type("\x03")
        assert screen.finish() == 130
        assert "incomplete: stopped after 1 of 6 runs and 0 of 6 next turns" in screen.text


def test_a_peer_that_fails_leaves_nothing_half_printed(invoke: Invoke, tmp_path: Path) -> None:
    install(peer_trouble=(6, RuntimeError("out of\x1b[2J luck")))
    result = invoke(*ASKED, "--against", "mlx-lm", "--svg", str(tmp_path / "none.svg"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: mlx-lm failed: out of luck\n"
    assert list(tmp_path.glob("*.svg")) == []


def test_our_own_errors_keep_their_code(invoke: Invoke) -> None:
    install((5, NonFiniteError("not finite")))
    result = invoke(*ASKED)
    assert (result.exit_code, result.stdout) == (5, "")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--prompt-tokens", "0"), "'0' is no length of a prompt"),
        (("--prompt-tokens", "-5"), "'-5' is no length of a prompt"),
        (("--prompt-tokens", "128,,512"), "'' is no length of a prompt"),
        (("--prompt-tokens", "long"), "'long' is no length of a prompt"),
        (("--prompt-tokens", "1234567890"), "'1234567890' is no length of a prompt"),
        (("--tokens", "1"), "Invalid value for '--tokens'"),
        (("--tokens", "5000"), "5000 tokens leave no room for a prompt in a context of 4096"),
        (("--runs", "0"), "Invalid value for '--runs'"),
        (("--against", "nobody"), "Invalid value for '--against'"),
        (("--against", "llama.cpp"), "--against llama.cpp and --gguf FILE go together"),
        (("--gguf", "a.gguf"), "--against llama.cpp and --gguf FILE go together"),
        (("--svg", "/nowhere/b.svg"), "/nowhere/b.svg cannot be written"),
        (("--svg", "/"), "/ cannot be written"),
    ],
)
def test_what_makes_no_sense_is_refused(invoke: Invoke, args: tuple[str, ...], said: str) -> None:
    install()
    result = invoke("bench", *args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("module", "args", "command"),
    [
        ("mlx_lm.generate", ("--against", "mlx-lm"), "pip install mlx-lm"),
        (
            "llama_cpp",
            ("--against", "llama.cpp", "--gguf", "a.gguf"),
            "pip install llama-cpp-python",
        ),
    ],
)
def test_a_peer_that_is_not_installed(
    invoke: Invoke,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    args: tuple[str, ...],
    command: str,
) -> None:
    """Said before a model is loaded."""
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(qwen3_mlx, "load", refuse)
    result = invoke("bench", *args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"Error: {args[1]} cannot be imported" in result.stderr
    assert f"Install it: {command}" in result.stderr


def refuse(*_: object, **__: object) -> Callable[[], None]:
    raise Qwen3Error("nothing should be loaded")


def test_a_gguf_file_that_is_not_there(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llama_cpp", sys)
    result = invoke("bench", "--against", "llama.cpp", "--gguf", "none.gguf")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "there is no file none.gguf" in result.stderr


def test_a_model_that_is_not_there(invoke: Invoke) -> None:
    result = invoke("bench", "-m", "nowhere")
    assert (result.exit_code, result.stdout) == (3, "")
