"""Saved prompts: the longest beginning is found, wherever prompts part, and files come and go."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn
from unittest.mock import patch

import mlx.core as mx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen3_mlx.checkpoint import prompt_folder, prompt_store
from qwen3_mlx.checkpoint.prompt_arrays import Snapshot, plain_layout
from qwen3_mlx.checkpoint.prompt_file import Layout, Part, place_after
from qwen3_mlx.checkpoint.prompt_folder import ABANDONED_NS, PromptFolder, default_folder
from qwen3_mlx.checkpoint.prompt_store import PromptStore, spans
from qwen3_mlx.model.cache import KVCache
from qwen3_mlx.model.config import Qwen3Config
from tests.checkpoint.prompts import LAYOUT, START, files, found, save, states_of, store_in

REPOSITORY = Path(__file__).parents[2]
FIRST = [START, 1, 2, START, 3, 4, 5]


@pytest.fixture
def small_blocks() -> Iterator[None]:
    """Four tokens, and no beginning is too short to be read."""
    with patch.multiple(prompt_store, BLOCK=4, WORTH=100):
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "prompts"


def beginning(first: Sequence[int], second: Sequence[int]) -> int:
    """How many ids both begin with, counted one by one."""
    shared = 0
    while first[shared : shared + 1] == second[shared : shared + 1] != []:
        shared += 1
    return shared


prompts = st.lists(st.sampled_from([START, 1, 2]), min_size=1, max_size=14)


@settings(max_examples=40, deadline=None)
@given(saved=st.lists(prompts, max_size=4), asked=prompts, share=st.floats(0, 1))
def test_as_much_is_found_as_any_saved_prompt_begins_with(
    saved: list[list[int]], asked: list[int], share: float
) -> None:
    held = int(share * len(asked))
    with tempfile.TemporaryDirectory() as path, patch.multiple(prompt_store, BLOCK=4, WORTH=100):
        for ids in saved:
            save(store_in(Path(path)), ids)
        longest = max((beginning(ids, asked) for ids in saved), default=0)
        assert len(found(store_in(Path(path)), asked)) == longest
        assert len(found(store_in(Path(path)), asked, held)) == max(0, longest - held)


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([], []),
        ([1], [(0, 1)]),
        ([1, 2, 3, 4, 5], [(0, 4), (4, 5)]),
        ([START, 1, START], [(0, 2), (2, 3)]),
        ([START, 1, 2, 3, 4, START, 5, START, 6, 7, 8], [(0, 4), (4, 5), (5, 9), (9, 11)]),
    ],
)
def test_blocks_end_with_the_first_message_and_after_four_tokens(
    small_blocks: None, ids: list[int], expected: list[tuple[int, int]]
) -> None:
    assert list(spans(ids, START)) == expected


def test_another_conversation_with_the_same_system_prompt_finds_it(folder: Path) -> None:
    """However short it is beside what followed it."""
    save(store_in(folder), [START, 1, 2, START, *range(500)])
    assert found(store_in(folder), [START, 1, 2, START, 600]) == [START, 1, 2]


def test_a_long_file_is_not_read_for_little(folder: Path) -> None:
    """An eighth of it is worth reading, less is not; what is held already does not count."""
    save(store_in(folder), list(range(80)))
    assert found(store_in(folder), [*range(10), 99]) == list(range(10))
    assert found(store_in(folder), [*range(9), 99]) == []
    assert found(store_in(folder), [*range(12), 99], held=3) == []
    assert found(store_in(folder), list(range(80)), held=71) == []


def test_what_is_there_is_not_written_again(small_blocks: None, folder: Path) -> None:
    save(store_in(folder), FIRST)
    before = {path: path.stat().st_ino for path in files(folder)}
    save(store_in(folder), [*FIRST, 6, 7])
    assert {path: path.stat().st_ino for path in files(folder) if path in before} == before
    assert len(files(folder)) == len(before) + 1


def test_only_the_owner_may_look(folder: Path) -> None:
    save(store_in(folder), FIRST)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in files(folder)} == {0o600}


def test_a_cache_goes_on_while_it_is_saved() -> None:
    """What is written into it afterwards is not in the file."""
    cache = KVCache()
    keys = mx.arange(6, dtype=mx.float32).reshape(1, 1, 3, 2)
    cache.update(keys, -keys)
    layout = Layout("model", 1, dict.fromkeys(("keys", "values"), Part("F32", 1, 2)))
    snapshot = Snapshot(layout, [cache.state])
    cache.rewind(1)
    cache.update(mx.full((1, 1, 2, 2), 9.0), mx.full((1, 1, 2, 2), 9.0))
    mx.eval(cache.keys)
    kept, negated = (memoryview(row).cast("f").tolist() for row in snapshot.rows(1, 3))
    assert (kept, negated) == ([2.0, 3.0, 4.0, 5.0], [-2.0, -3.0, -4.0, -5.0])


@pytest.mark.parametrize(
    "states",
    [
        states_of([1, 2])[:2],
        [{**state, "values": state["values"].astype(mx.float16)} for state in states_of([1, 2])],
        [{"keys": state["keys"]} for state in states_of([1, 2])],
        [{name: mx.concatenate([a, a]) for name, a in s.items()} for s in states_of([1, 2])],
    ],
    ids=["layers", "dtype", "names", "two sequences"],
)
def test_caches_of_another_kind_are_not_saved(folder: Path, states: list[object]) -> None:
    store = store_in(folder)
    store.save([1, 2], states)  # type: ignore[arg-type]
    store.save([1, 2], states_of([1, 2]))
    store.wait()
    (note,) = store.take_notes()
    assert "is not saved" in note
    assert "other arrays than expected" in note
    assert files(folder) == []


def test_the_layout_of_plain_caches_is_what_they_hold(dense: dict[str, object]) -> None:
    """Two layers, two heads of 32 numbers."""
    cache = KVCache()
    cache.update(mx.zeros((1, 2, 1, 32), mx.bfloat16), mx.zeros((1, 2, 1, 32), mx.bfloat16))
    layout = plain_layout("model", Qwen3Config.from_hf(dense), mx.bfloat16)
    rows = Snapshot(layout, [cache.state] * 2).rows(0, 1)
    assert [len(row) for row in rows] == [32 * 2] * (2 * 2 * 2)
    assert layout.nbytes(5) == 5 * 2 * 2 * 2 * 32 * 2


# The folder: what goes, what stays.


def size_of(ids: Sequence[int]) -> int:
    """Bytes of the file of one block."""
    layout = Layout(place_after("", []), LAYOUT.layers, LAYOUT.parts)
    with tempfile.TemporaryDirectory() as path:
        save(store_in(Path(path), layout), ids, layout)
        return sum(file.stat().st_size for file in files(Path(path)))


def ticking() -> Iterator[int]:
    return count(10**15, 10**9)


def bounded(folder: Path, tokens: int, files: int, times: Iterator[int]) -> PromptStore:
    """Room for so many files of so many tokens."""
    room = files * size_of(range(100, 100 + tokens))
    return store_in(folder, max_bytes=room, clock=lambda: next(times))


def test_the_least_recently_used_goes_first(folder: Path) -> None:
    times = ticking()
    store = bounded(folder, 1, 3, times)
    for token in (101, 102, 103):
        save(store, [token])
    assert found(store, [101]) == [101]
    save(store, [104])
    assert kept(store, 101, 102, 103, 104) == [101, 103, 104]
    save(store, [103])  # it is there already: used again
    save(store, [105])
    save(store, [106])
    assert kept(store, 101, 103, 104, 105, 106) == [103, 105, 106]
    assert store.take_notes() == []


def kept(store: PromptStore, *tokens: int) -> list[int]:
    """Those whose prompt of one token is saved; being looked for in this order uses them."""
    return [token for token in tokens if found(store, [token])]


def test_the_beginning_of_a_prompt_stays_longest(small_blocks: None, folder: Path) -> None:
    store, ids = bounded(folder, 4, 2, ticking()), list(range(100, 116))
    save(store, ids)
    assert found(store, ids) == ids[:8]
    save(store, [200, 201, 202, 203])
    assert found(store, ids) == ids[:4]


def test_there_are_never_more_bytes_than_allowed(small_blocks: None, folder: Path) -> None:
    store = bounded(folder, 4, 4, ticking())
    for start in range(100, 120):
        save(store, list(range(start, start + 11)))
        assert sum(path.stat().st_size for path in files(folder)) <= 4 * size_of(range(100, 104))
    assert len(files(folder)) == 4


def test_the_number_of_files_is_bounded_too(folder: Path) -> None:
    times = ticking()
    for token in range(5):
        save(store_in(folder, max_files=3, clock=lambda: next(times)), [token])
    store = store_in(folder)
    assert [found(store, [token]) for token in range(5)] == [[], [], [2], [3], [4]]


def test_a_tenth_of_the_free_disk_is_the_most(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(store_in(folder), [1])
    (held,) = (path.stat().st_size for path in files(folder))
    for free, limit in ((0, held // 10), (50_000, (50_000 + held) // 10), (10**15, 10**10)):
        usage = SimpleNamespace(free=free)
        monkeypatch.setattr(shutil, "disk_usage", lambda _path, usage=usage: usage)
        assert PromptFolder(folder).limit() == limit
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=0))
    save(store_in(folder), [2])
    assert found(store_in(folder), [2]) == []


def test_what_a_killed_process_left_is_not_used_and_removed_later(folder: Path) -> None:
    """It is killed after the last byte and before the file gets its name."""
    code = (
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "from tests.checkpoint.prompts import save, store_in\n"
        "def hang(_file):\n"
        "    print('written', flush=True)\n"
        "    time.sleep(60)\n"
        "os.fsync = hang\n"
        "save(store_in(Path(sys.argv[1])), [1, 2, 3])\n"
    )
    command = [sys.executable, "-c", code, str(folder)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        process.kill()
    assert process.returncode == -signal.SIGKILL
    (left,) = files(folder)
    written = left.stat().st_mtime_ns
    assert found(store_in(folder, clock=lambda: written + ABANDONED_NS), [1, 2, 3]) == []
    assert files(folder) == [left]
    store_in(folder, clock=lambda: written + ABANDONED_NS + 1)
    assert files(folder) == []


def fails(*_args: object) -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_told_once_and_leaves_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_in(folder)
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fails)
        save(store, [1])
    save(store, [2])
    (note,) = store.take_notes()
    assert note.startswith(f"what is read is not saved: {folder}/{LAYOUT.identity}-")
    assert note.endswith(f"No space left on device; {size_of([1])} bytes are needed")
    assert store.take_notes() == []
    assert files(folder) == []


def test_a_folder_that_cannot_be_made_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = store_in(tmp_path / "file" / "prompts")
    save(store, [1])
    assert found(store, [1]) == []
    (note,) = store.take_notes()
    assert note.endswith("prompts: Not a directory")


def test_in_a_folder_that_may_not_be_written_prompts_are_found(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(store_in(folder), [1])
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    store = store_in(folder)
    save(store, [2])
    assert [found(store, [token]) for token in (1, 2)] == [[1], []]
    assert store.take_notes() == [f"what is read is not saved: {folder}: Permission denied"]


def test_the_folder_may_be_removed_at_any_time(folder: Path) -> None:
    store = store_in(folder)
    save(store, [1])
    shutil.rmtree(folder)
    assert found(store, [1]) == []
    save(store, [2])
    assert found(store, [2]) == [2]
    shutil.rmtree(folder)
    folder.touch()
    assert found(store, [2]) == []
    assert store.take_notes() == []
    save(store, [3])
    (note,) = store.take_notes()
    assert note.startswith(f"what is read is not saved: {folder}: ")


def test_a_file_that_another_process_removed_is_no_accident(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(store_in(folder), [1, 2])
    (path,) = files(folder)
    monkeypatch.setattr(PromptFolder, "beginning", lambda *_: [path])
    path.unlink()
    store = store_in(folder)
    assert found(store, [1, 3]) == []
    assert store.take_notes() == []


def test_two_processes_share_a_folder_that_is_always_full(folder: Path) -> None:
    """Each reads and writes what the other removes; what is found is right."""
    code = (
        "import random, sys\n"
        "from pathlib import Path\n"
        "from qwen3_mlx.checkpoint import prompt_store\n"
        "from tests.checkpoint.prompts import found, save, store_in\n"
        "prompt_store.BLOCK = 4\n"
        "store = store_in(Path(sys.argv[1]), max_bytes=9000)\n"
        "dice = random.Random(int(sys.argv[2]))\n"
        "hits = 0\n"
        "for _ in range(120):\n"
        "    start = dice.randrange(4)\n"
        "    ids = list(range(start, start + dice.randrange(1, 12)))\n"
        "    hits += len(found(store, ids)) > 0\n"
        "    save(store, ids)\n"
        "print(hits > 30, store.take_notes())\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(folder), seed],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in ("1", "2")
    ]
    assert [process.communicate() for process in processes] == [("True []\n", "")] * 2
    assert sum(path.stat().st_size for path in files(folder)) <= 2 * 9000
    assert not [path for path in files(folder) if path.name.endswith(prompt_folder.UNFINISHED)]


def test_the_folder_is_where_caches_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "qwen3-mlx" / "prompts"


def test_layouts_are_told_apart_by_their_files(folder: Path) -> None:
    """Two models in one folder do not see each other's prompts."""
    other = Layout("another model", LAYOUT.layers, LAYOUT.parts)
    save(store_in(folder), [1])
    save(store_in(folder, other), [2], other)
    assert [found(store_in(folder), [token]) for token in (1, 2)] == [[1], []]
    assert [found(store_in(folder, other), [token]) for token in (1, 2)] == [[], [2]]
    assert len(files(folder)) == 2
