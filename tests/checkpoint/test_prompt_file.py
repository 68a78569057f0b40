"""Wrong files in the place of a saved prompt: each is refused, told, removed and written anew."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import mlx.core as mx
import pytest

from qwen3_mlx.checkpoint.header import read_header
from qwen3_mlx.checkpoint.prompt_file import (
    Layout,
    Part,
    file_name,
    file_parts,
    place_after,
    read_block,
    read_ids,
)
from qwen3_mlx.errors import ModelFileError
from tests.checkpoint.prompts import LAYOUT, START, files, found, save, states_of, store_in

IDS = [1, 2, 3]
ROOT = LAYOUT.identity


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """The file of a prompt."""
    save(store_in(tmp_path), IDS)
    (path,) = files(tmp_path)
    return path


def test_a_file_is_a_safetensors_file(saved: Path) -> None:
    states = states_of(IDS, room=0)
    tensors = mx.load(str(saved), format="safetensors")
    assert isinstance(tensors, dict)
    assert tensors.keys() == read_header(saved).keys()
    for layer, state in enumerate(states):
        for name, array in state.items():
            assert mx.array_equal(tensors[f"{layer}.{name}"], array)


def test_places_depend_on_all_ids_and_their_order() -> None:
    prompts = [[], [1], [2], [1, 2], [2, 1], [12], [1, 2, 3]]
    assert len({place_after(ROOT, ids) for ids in prompts}) == len(prompts)
    assert place_after(place_after(ROOT, [1]), [2]) != place_after(place_after(ROOT, [2]), [1])


def foreign(layout: Layout = LAYOUT, place: str = ROOT, ids: list[int] = IDS) -> bytes:
    """A whole file, checksum and all, of something else."""
    rows = [memoryview(bytes(layout.nbytes(len(ids))))]
    return b"".join(bytes(part) for part in file_parts(layout, place, ids, rows))


def split(data: bytes) -> tuple[bytes, bytes]:
    """The header and the numbers of a file."""
    end = 8 + int.from_bytes(data[:8], "little")
    return data[8:end], data[end:]


def joined(header: bytes, numbers: bytes) -> bytes:
    return len(header).to_bytes(8, "little") + header + numbers


def rewrite(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    """The header with a change that JSON allows, as our own writer would format it."""

    def spoil(path: Path) -> None:
        header, numbers = split(path.read_bytes())
        entries = json.loads(header)
        change(entries)
        text = json.dumps(entries, separators=(",", ":")).encode()
        path.write_bytes(joined(text, numbers))

    return spoil


def metadata(**values: str) -> Callable[[Path], object]:
    return rewrite(lambda entries: entries["__metadata__"].update(values))


def written(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


def flip(place: int) -> Callable[[Path], object]:
    """One bit of a byte."""

    def spoil(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[place] ^= 1
        path.write_bytes(data)

    return spoil


def cut(length: int) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(path.read_bytes()[:length])


def in_place_of(make: Callable[[Path], object]) -> Callable[[Path], object]:
    """Something that is no file under its name."""

    def spoil(path: Path) -> None:
        path.unlink()
        make(path)

    return spoil


HALF = {"keys": Part("F16", 2, 4), "values": Part("F16", 2, 4)}
PADDED = {"keys": Part("F32", 2, 8), "values": Part("F32", 2, 8)}
QUANTIZED = {"keys": Part("U32", 2, 1), "key_scales": Part("F16", 2, 1)}
HUGE = 2**40

Fault: TypeAlias = tuple[Callable[[Path], object], str]
FAULTS: dict[str, Fault] = {
    "another model": (written(foreign(replace(LAYOUT, identity="f" * 32))), "another identity"),
    "another beginning": (written(foreign(place="f" * 32)), "another place"),
    "other ids": (written(foreign(ids=[1, 2, 4])), "other ids than its name says"),
    "another dtype": (written(foreign(replace(LAYOUT, parts=HALF))), "other arrays"),
    "another size of head": (written(foreign(replace(LAYOUT, parts=PADDED))), "other arrays"),
    "more layers": (written(foreign(replace(LAYOUT, layers=4))), "other arrays"),
    "fewer layers": (written(foreign(replace(LAYOUT, layers=2))), "other arrays"),
    "another kind of cache": (written(foreign(replace(LAYOUT, parts=QUANTIZED))), "other arrays"),
    "a later version": (metadata(version="2"), "another version"),
    "another format": (metadata(format="pt"), "another format"),
    "no numbers as ids": (metadata(ids="1 2 x"), "ids that are no numbers"),
    "ids without end": (metadata(ids="1" * 5000), "ids that are no numbers"),
    "ids written in another way": (metadata(ids="1 2 03"), "other arrays"),
    "no ids": (metadata(ids=""), "ids that are no numbers"),
    "no checksum": (rewrite(lambda e: e["__metadata__"].pop("sha256")), "other arrays"),
    "another checksum": (metadata(sha256="0" * 64), "checksum"),
    "nothing about itself": (rewrite(lambda e: e.pop("__metadata__")), "says nothing"),
    "the wrong kind of metadata": (rewrite(lambda e: e.update(__metadata__=[1])), "says nothing"),
    "an array that lies elsewhere": (
        rewrite(lambda e: e["0.keys"].update(data_offsets=[96, 192])),
        "other arrays",
    ),
    "an array of terabytes": (
        rewrite(lambda e: e["0.keys"].update(shape=[1, 2, HUGE, 4])),
        "other arrays",
    ),
    "one array twice": (
        lambda path: path.write_bytes(
            joined(split(path.read_bytes())[0].replace(b'"1.keys"', b'"0.keys"'), b"")
        ),
        "twice",
    ),
    "a header that is no JSON": (written(joined(b"{", b"")), "not valid JSON"),
    "a header of JSON without end": (written(joined(b"[" * 10**5, b"")), "not valid JSON"),
    "a header that is no object": (written(joined(b"[]", b"")), "no JSON object"),
    "a header with a space more": (
        lambda path: path.write_bytes(
            joined(split(path.read_bytes())[0] + b" ", split(path.read_bytes())[1])
        ),
        "other arrays",
    ),
    "a header of exabytes": (written((2**62).to_bytes(8, "little") + bytes(100)), "cut off"),
    "a header of no bytes": (written(bytes(100)), "cut off"),
    "a bit of the header": (flip(40), "header|another|other"),
    "a bit of the numbers": (flip(-1), "checksum"),
    "the first bit of the numbers": (flip(-LAYOUT.nbytes(len(IDS))), "checksum"),
    "cut off in the numbers": (cut(-1), "longer or shorter"),
    "cut off in the header": (cut(100), "cut off"),
    "cut off in the length of the header": (cut(5), "cut off"),
    "empty": (cut(0), "cut off"),
    "a byte too many": (lambda path: path.write_bytes(path.read_bytes() + b"x"), "longer"),
    "a terabyte, most of it a hole": (lambda path: os.truncate(path, HUGE), "longer"),
    "a device without end": (
        in_place_of(lambda path: path.symlink_to("/dev/zero")),
        "not a regular file",
    ),
    "a pipe": (in_place_of(os.mkfifo), "not a regular file"),
    "a link to nothing": (in_place_of(lambda path: path.symlink_to("nothing")), "is missing"),
}


@pytest.mark.parametrize("asked", [IDS, [*IDS[:2], 9]], ids=["the same", "another ending"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_file_is_refused_removed_and_written_anew(
    saved: Path, fault: str, asked: list[int]
) -> None:
    spoil, said = FAULTS[fault]
    spoil(saved)
    store = store_in(saved.parent)
    with pytest.raises(ModelFileError, match=said):
        read_block(saved, LAYOUT, ROOT)
    assert found(store, asked) == []
    (note,) = store.take_notes()
    assert note.startswith(f"a saved cache was damaged and is rebuilt: {saved}")
    assert files(saved.parent) == []
    save(store, IDS)
    assert found(store, IDS) == IDS
    assert store.take_notes() == []


def test_a_folder_in_its_place_is_left_alone(saved: Path) -> None:
    saved.unlink()
    saved.mkdir()
    store = store_in(saved.parent)
    assert found(store, IDS) == []
    save(store, IDS)
    assert found(store, IDS) == []
    assert saved.is_dir()


TINY = replace(LAYOUT, layers=1)


def test_every_bit_counts(tmp_path: Path) -> None:
    save(store_in(tmp_path, TINY), [1], TINY)
    (path,) = files(tmp_path)
    whole = path.read_bytes()
    for bit in range(8 * len(whole)):
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        with pytest.raises(ModelFileError):
            read_block(path, TINY, ROOT)


def test_every_byte_is_needed_to_find_the_ids(tmp_path: Path) -> None:
    save(store_in(tmp_path, TINY), [1], TINY)
    (path,) = files(tmp_path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ModelFileError):
            read_ids(path, TINY, ROOT)


def test_the_numbers_of_another_prompt_do_not_fit(saved: Path) -> None:
    """Header of one file, numbers of another, both of the same size and of this model."""
    other = [START, 2, 3]
    save(store_in(saved.parent), other)
    numbers = split((saved.parent / file_name(ROOT, other)).read_bytes())[1]
    header = split(saved.read_bytes())[0]
    saved.write_bytes(joined(header, numbers))
    with pytest.raises(ModelFileError, match="checksum"):
        read_block(saved, LAYOUT, ROOT)


def test_a_damaged_block_ends_what_is_found(tmp_path: Path) -> None:
    """What stands before it is used, what stands after it is not."""
    ids = [START, 1, 2, START, *range(600)]
    save(store_in(tmp_path), ids)
    second = tmp_path / file_name(place_after(ROOT, ids[:3]), ids[3:515])
    flip(-1)(second)
    store = store_in(tmp_path)
    assert found(store, ids) == ids[:3]
    assert not second.exists()
    save(store, ids)
    assert found(store_in(tmp_path), ids) == ids


def test_a_damaged_file_does_not_hide_a_sound_one(saved: Path) -> None:
    """The one that shares most is damaged, another one shares less."""
    store = store_in(saved.parent)
    save(store, [1, 2, 5])
    flip(-1)(saved)
    assert found(store, [*IDS[:2], 3, 4]) == [1, 2]
    assert len(store.take_notes()) == 1
