"""Curves on the disk: saved and read, interrupted and gone on with, damaged and refused."""

from __future__ import annotations

import json
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from qwen3_mlx.errors import Qwen3Error, UsageError
from qwen3_mlx.evaluation.curve import Record
from qwen3_mlx.evaluation.journal import journal_path, open_journal
from qwen3_mlx.evaluation.saved import Curve, as_data, read_curve, to_json
from qwen3_mlx.evaluation.setup import Setup, make_setup
from qwen3_mlx.evaluation.task import Task, digest
from qwen3_mlx.loading import load

SETUP = Setup(
    model="tiny",
    identity="ab12",
    tasks="demo",
    digest="cd34",
    count=2,
    budgets=(8, None),
    system=None,
    max_tokens=None,
    context=2048,
    thinking={"temperature": 0.0, "seed": None},
    answering={"temperature": 0.0, "seed": None},
)


def records(id_: str) -> tuple[Record, ...]:
    first = Record(id_, "sum", 8, False, "é\n", 8, 3, "budget", "stop", 0.25)
    return first, replace(first, budget=None, right=True, stop_thinking="natural", seconds=1)


CURVE = Curve(SETUP, (*records("1"), *records("2")))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "curve.json"


def test_a_curve_is_read_as_it_was_saved(path: Path) -> None:
    path.write_text(to_json(CURVE))
    assert read_curve(path) == CURVE
    assert read_curve(path).complete
    assert not Curve(SETUP, records("1")).complete


def test_the_figures_are_in_the_file(path: Path) -> None:
    data = as_data(CURVE)
    assert data["setup"]["budgets"] == (8, None)
    assert data["figures"][1] == {
        "budget": None,
        "count": 2,
        "right": 2,
        "share": 1.0,
        "low": pytest.approx(0.3424, abs=1e-4),
        "high": 1.0,
        "thinking_tokens": 8,
        "stopped": 0,
        "seconds": 1,
    }
    assert [*data["categories"]] == ["sum"]
    assert json.loads(to_json(CURVE))["figures"][1] == data["figures"][1]


def changed(change: Callable[[dict[str, Any]], object]) -> str:
    data = json.loads(to_json(CURVE))
    change(data)
    return json.dumps(data)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{}",
        "[" * 100_000,
        "[" + "[]," * 4_200_000 + "1]",
        "\xff",
        changed(lambda d: d.update(format="another")),
        changed(lambda d: d.pop("records")),
        changed(lambda d: d.update(records=[])),
        changed(lambda d: d["records"][0].update(budget=9)),
        changed(lambda d: d["records"][0].update(budget=-8)),
        changed(lambda d: d["records"][0].update(right=1)),
        changed(lambda d: d["records"][0].update(seconds=float("nan"))),
        changed(lambda d: d["records"][0].update(seconds=10**400)),
        changed(lambda d: d["records"][0].update(thinking_tokens=10**400)),
        changed(lambda d: d["records"][0].update(answer_tokens=-1)),
        changed(lambda d: d["records"][0].update(more=1)),
        changed(lambda d: d["records"][0].pop("answer")),
        changed(lambda d: d["setup"].update(budgets=[])),
        changed(lambda d: d["setup"].update(budgets=[8, 8])),
        changed(lambda d: d["setup"].update(budgets=[True])),
        changed(lambda d: d["setup"].update(count="2")),
    ],
)
def test_what_is_no_curve_is_refused(path: Path, text: str) -> None:
    path.write_text(text, "latin-1")
    with pytest.raises(UsageError, match="is no curve that this version can read"):
        read_curve(path)


def test_a_curve_that_is_not_there(path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        read_curve(path)


def test_a_journal_goes_on_where_it_was(path: Path) -> None:
    partial = journal_path(path)
    assert partial.name == "curve.json.partial"
    with open_journal(partial, SETUP) as journal:
        assert journal.records == {}
        journal.note(records("1"))
    with open_journal(partial, SETUP) as journal:
        assert journal.records == {"1": records("1")}
        journal.note(records("2"))
    with open_journal(partial, SETUP) as journal:
        assert journal.records == {"1": records("1"), "2": records("2")}


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_a_line_that_broke_off_is_dropped(path: Path, cut: int) -> None:
    with open_journal(path, SETUP) as journal:
        journal.note(records("1"))
        journal.note(records("2"))
    path.write_bytes(path.read_bytes()[:-cut])
    with open_journal(path, SETUP) as journal:
        assert journal.records.keys() == {"1"}
        journal.note(records("2"))
    with open_journal(path, SETUP) as journal:
        assert journal.records == {"1": records("1"), "2": records("2")}


@contextmanager
def no_file_larger_than(nbytes: int) -> Iterator[None]:
    """The system refuses to write more, and writes what it may, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (nbytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_is_named_and_the_next_run_goes_on(path: Path) -> None:
    """A part of the line is written, then no more; nothing is tried again on closing."""
    with open_journal(path, SETUP) as journal:
        journal.note(records("1"))
    before = len(path.read_bytes())
    with open_journal(path, SETUP) as journal:
        with pytest.raises(Qwen3Error) as caught, no_file_larger_than(before + 10):
            journal.note(records("2"))
        assert journal.records.keys() == {"1"}
    line = len(json.dumps([asdict(record) for record in records("2")])) + 1
    assert (
        caught.value.message == f"{path} cannot be written: File too large; {line} bytes are needed"
    )
    assert len(path.read_bytes()) == before + 10
    with open_journal(path, SETUP) as journal:
        assert journal.records.keys() == {"1"}
        journal.note(records("2"))
    with open_journal(path, SETUP) as journal:
        assert journal.records == {"1": records("1"), "2": records("2")}


def test_a_line_of_more_parts_than_budgets_is_not_parsed(path: Path) -> None:
    with open_journal(path, SETUP):
        pass
    with path.open("ab") as file:
        file.write(b"[" + b"[]," * 40_000 + b"1]\n")
    with (
        pytest.raises(UsageError, match="is no part of a curve that this version can read"),
        open_journal(path, SETUP),
    ):
        pytest.fail("it was read")


def test_a_journal_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    path = tmp_path / "no" / "curve.json.partial"
    with (
        pytest.raises(Qwen3Error, match=rf"{path} cannot be written: No such file or directory$"),
        open_journal(path, SETUP),
    ):
        pytest.fail("it was made")


def test_a_head_that_broke_off_is_written_anew(path: Path) -> None:
    path.write_bytes(b'{"format": "qw')
    with open_journal(path, SETUP) as journal:
        assert journal.records == {}
    with open_journal(path, SETUP) as journal:
        assert journal.records == {}


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"identity": "ef"}, "the model differ"),
        ({"digest": "ef", "count": 3}, "the tasks, their number differ"),
        ({"budgets": (8,)}, "the budgets differ"),
        ({"max_tokens": 90, "system": "x"}, "the system prompt, max_tokens differ"),
        ({"thinking": {"temperature": 1.0, "seed": None}}, "the sampling of thoughts differ"),
    ],
)
def test_a_journal_of_something_else_is_refused(
    path: Path, other: dict[str, Any], said: str
) -> None:
    with open_journal(path, SETUP) as journal:
        journal.note(records("1"))
    before = path.read_bytes()
    with (
        pytest.raises(UsageError, match=f"is of another curve: {said}"),
        open_journal(path, replace(SETUP, **other)),
    ):
        pass
    assert path.read_bytes() == before


def test_names_do_not_matter(path: Path) -> None:
    with open_journal(path, SETUP) as journal:
        journal.note(records("1"))
    with open_journal(path, replace(SETUP, model="./tiny", tasks="same")) as journal:
        assert journal.records.keys() == {"1"}


@pytest.mark.parametrize("text", ["x\n", "[]\n", '{"format": 1}\n', "[" * 100_000 + "\n"])
def test_a_damaged_journal_is_refused(path: Path, text: str) -> None:
    path.write_text(text)
    with (
        pytest.raises(UsageError, match="is no part of a curve"),
        open_journal(path, SETUP),
    ):
        pass


def test_a_task_without_all_its_budgets_is_damage(path: Path) -> None:
    with open_journal(path, SETUP) as journal:
        journal.note(records("1")[:1])
    with pytest.raises(UsageError, match="is damaged"), open_journal(path, SETUP):
        pass


def test_two_cannot_write_at_once(path: Path) -> None:
    with (
        open_journal(path, SETUP),
        pytest.raises(UsageError, match="is being written by another run"),
        open_journal(path, SETUP),
    ):
        pass


def test_what_a_curve_is_measured_with() -> None:
    llm, tasks = load("tiny"), [Task("1", "2 + 3 = ?", ("5",))]
    setup = make_setup(llm, "mine", tasks, [0, 8], system="Be brief.", temp=0.5, seed=3)
    assert (setup.model, setup.tasks, setup.count) == ("tiny", "mine", 1)
    assert (setup.digest, setup.budgets, setup.context) == (digest(tasks), (0, 8), 2048)
    assert (setup.thinking["temperature"], setup.answering["seed"]) == (0.5, 3)
    assert setup == make_setup(llm, "mine", tasks, [0, 8], system="Be brief.", temp=0.5, seed=3)
    other = make_setup(load("tiny-dense"), "mine", tasks, [0, 8])
    assert setup.differences(other)[0] == "the model"
    assert asdict(setup)["budgets"] == (0, 8)
