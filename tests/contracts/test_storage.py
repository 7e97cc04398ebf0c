"""
What the store needs from a place for its bytes, held against each stand-in.

A folder, an object store as Arrow shows one (its own mock file system), and a folder seen through Arrow without a
rename. S3 joins by another line in ``PLACES``.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.fs as pafs
import pytest
from pyarrow._fs import _MockFileSystem

from sfnb.errors import CallerError, StoreError
from sfnb.store.files import Files


def a_folder(root: Path) -> Files:
    return Files(root / "store")


def a_mock(_root: Path) -> Files:
    mock = _MockFileSystem(datetime(2026, 11, 2, tzinfo=UTC))
    mock.create_dir("bucket/store")
    return Files("mock://bucket/store", filesystem=pafs.SubTreeFileSystem("bucket/store", mock))


def through_arrow(root: Path) -> Files:
    (root / "store").mkdir()
    local = pafs.SubTreeFileSystem((root / "store").as_posix(), pafs.LocalFileSystem())
    return Files("test://bucket", filesystem=local)


PLACES: dict[str, Callable[[Path], Files]] = {
    "folder": a_folder,
    "mock": a_mock,
    "arrow": through_arrow,
}


@pytest.fixture(params=PLACES)
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    return PLACES[request.param](tmp_path)


def test_what_is_put_is_read(files: Files) -> None:
    """A file comes back byte by byte, from folders that nobody had to make, and can be put again."""
    files.put("a/b/c", b"one")
    assert files.read("a/b/c") == b"one"
    files.put("a/b/c", b"two")
    assert files.read("a/b/c") == b"two"
    assert files.has("a/b/c")
    with files.open_input("a/b/c") as source:
        assert source.read() == b"two"


def test_json_keeps_its_checksum(files: Files) -> None:
    """JSON comes back as it was given; one changed byte is damage with the file's address in the message."""
    files.put_json("m.json", {"format": 1, "name": "Zoë", "n": 2**60}, indent=1)
    found = files.read_json("m.json")
    assert found is not None
    assert {k: found[k] for k in ("format", "name", "n")} == {
        "format": 1,
        "name": "Zoë",
        "n": 2**60,
    }
    text = files.read("m.json")
    assert text is not None
    files.put("m.json", text.replace(b"Zo", b"Za"))
    with pytest.raises(StoreError, match=r"m\.json is damaged"):
        files.read_json("m.json")


def test_what_is_not_there_is_none(files: Files) -> None:
    """Absent files and folders are no error: None, or nothing."""
    assert files.read("x/y") is None
    assert files.read_json("x/y") is None
    assert files.digest("x/y") is None
    assert not files.has("x/y")
    assert files.names("x") == []
    assert files.walk("x") == {}


def test_folders_and_files_are_listed_apart(files: Files) -> None:
    """Names are sorted, folders and files apart; a walk gives every file from the root, with its size."""
    for path in ("t/b/1", "t/a/2", "t/z", "t/y"):
        files.put(path, path.encode())
    assert files.names("t") == ["y", "z"]
    assert files.names("t", folders=True) == ["a", "b"]
    assert not files.has("t/a")
    assert files.walk("t") == {"t/a/2": 5, "t/b/1": 5, "t/y": 3, "t/z": 3}


def test_a_folder_deeper_sees_the_same_files(files: Files) -> None:
    """``below`` changes where paths begin and nothing else."""
    files.put("a/b/c", b"x")
    deeper = files.below("a")
    assert deeper.read("b/c") == b"x"
    assert deeper.walk("") == {"b/c": 1}
    assert deeper.uri("b/c") == files.uri("a/b/c")
    deeper.put("d", b"y")
    assert files.read("a/d") == b"y"


def test_a_sink_knows_size_and_digest(files: Files) -> None:
    """The sink's size and SHA-256 are those of the file, as ``digest`` reads them from the place."""
    with files.open_new("part") as sink:
        sink.write(b"hello ")
        sink.write(b"world")
    expected = (11, hashlib.sha256(b"hello world").hexdigest())
    assert (sink.size_bytes, sink.sha256) == expected
    assert files.digest("part") == expected


class Interrupt(BaseException):
    """Stands for a pause in the middle of a page."""


def test_a_write_that_fails_leaves_nothing(files: Files) -> None:
    """When the block ends badly there is no file, not even half of one, and the reason comes out as it is."""
    files.put("t/other", b"x")
    with pytest.raises(Interrupt), files.open_new("t/part") as sink:
        sink.write(b"half")
        raise Interrupt
    assert files.walk("") == {"t/other": 1}


def test_a_file_where_a_folder_must_be_is_one_sentence(files: Files) -> None:
    """What the place refuses comes out as a StoreError that names the file."""
    files.put("a", b"x")
    with pytest.raises(StoreError, match=r"could not write .*a.b"):
        files.put("a/b", b"x")


def test_threads_share_it(files: Files) -> None:
    """Eight threads write and read at once and disturb each other in nothing."""
    failed: list[BaseException] = []

    def work(k: int) -> None:
        try:
            for n in range(10):
                files.put(f"t/{k}/{n}", bytes([k, n]))
                assert files.read(f"t/{k}/{n}") == bytes([k, n])
        except BaseException as err:  # noqa: BLE001 - handed to the test
            failed.append(err)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(files.walk("t")) == 80


def test_an_address_nobody_knows_is_refused() -> None:
    """A store at ftp:// is a mistake of the caller, told in one sentence."""
    with pytest.raises(CallerError, match=r"s3://, gs:// or az://"):
        Files("ftp://host/path")
