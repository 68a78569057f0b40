"""A few folders that bring code, and whether code that runs would be noticed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.trust import no_code
from tests.trust.faults.code import CODE, TRACE, TRIES
from tests.trust.guarded import Guard
from tests.trust.tally import Tally


def test_there_are_enough_ways() -> None:
    assert len(TRIES) >= 50


def test_no_code_runs() -> None:
    tally = no_code.attack(3, seed=0)
    assert tally.fallen == {}, tally.table()


def test_a_trace_a_crash_and_a_word_are_noticed(tmp_path: Path) -> None:
    tally = Tally()
    for code, complaint in ((1, ""), (0, "import ('evil',)")):
        no_code.judge(tally, "x", tmp_path, CompletedProcess([], code, "", complaint))
    (tmp_path / TRACE).touch()
    no_code.judge(tally, "x", tmp_path, CompletedProcess([], 0, "", ""))
    assert sorted(tally.fallen) == ["code ran", "something was run or started", "traceback"]


HEARD: dict[str, Callable[[Path], tuple[str, tuple[object, ...]]]] = {
    "code of the folder": lambda folder: (
        "exec",
        (compile(CODE, str(folder / "evil.py"), "exec"),),
    ),
    "its source": lambda folder: ("compile", (CODE, str(folder / "evil.py"))),
    "a library of it": lambda folder: ("import", ("evil", str(folder / "evil.so"), [], [], [])),
    "a pickle": lambda _: ("pickle.find_class", ("os", "system")),
    "a connection": lambda _: ("socket.connect", (socket.AF_INET, ("::1", 80))),
    "a command": lambda _: ("subprocess.Popen", ("sh", ["sh", "-c", "x"], None, None)),
    "a shell": lambda _: ("os.system", ("x",)),
}


@pytest.mark.parametrize("event", HEARD)
def test_what_the_hook_objects_to(tmp_path: Path, event: str) -> None:
    guard = Guard(str(tmp_path), "worker.py")
    guard(*HEARD[event](tmp_path))
    assert len(guard.heard) == 1


def test_what_the_hook_lets_pass(tmp_path: Path) -> None:
    guard = Guard(str(tmp_path), "worker.py")
    guard("exec", (compile("", "<string>", "exec"),))
    guard("import", ("json", None, [], [], []))
    guard("open", (str(tmp_path / "config.json"), "r", 0))
    guard("subprocess.Popen", (sys.executable, [sys.executable, "-P", "worker.py"], None, None))
    assert guard.heard == []


def test_the_hook_hears_python_itself(tmp_path: Path) -> None:
    (tmp_path / "evil.py").write_text(CODE)
    program = (
        "import sys; from tests.trust.guarded import Guard; from pathlib import Path\n"
        "guard = Guard(str(Path.cwd()), 'worker.py'); sys.addaudithook(guard)\n"
        "sys.path.insert(0, '.'); import evil; print(len(guard.heard))\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(no_code.ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) >= 1
    assert (tmp_path / TRACE).exists()
