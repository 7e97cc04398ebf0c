"""A store that sfnb encrypts: what lies there, who can read it, and that nothing else changes."""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sfnb.store import store_key
from sfnb.store.files import Files
from sfnb.store.sealing import (
    CHUNK_BYTES,
    HEAD_BYTES,
    MAGIC,
    SEALED_CHUNK_BYTES,
    Cipher,
    OpenedFile,
    plain_size,
)
from sfnb.store.tables import open_store
from tests.command_line import CommandLine
from tests.conftest import RunningOrg
from tests.contracts.demo_writes import V
from tests.contracts.s3_server import environment, keep_versions

OBJECTS = "Contact,ContentDocument,ContentVersion"
NAME = "Unmistakable"


@pytest.mark.parametrize("place", ["folder", "bucket"])
def test_a_whole_life_under_a_key(
    fresh_org: Callable[..., RunningOrg],
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    """
    Backed up, changed, compacted, exported, restored, erased and verified as any store is; nothing
    that lies there has a value of a record; without the key, or with another, there is a sentence.
    """
    org = fresh_org(objects={"Contact": 30, "ContentVersion": 3}, own_data=True)
    home = CommandLine.with_org(tmp_path / "home", org)
    root = str(home.home / "store")
    if place == "bucket":
        address = request.getfixturevalue("s3_address")
        for name, value in environment(address).items():
            monkeypatch.setenv(name, value)
            home.environ[name] = value
        root = home.environ["SFNB_STORE"] = f"s3://sfnb-{secrets.token_hex(4)}/store"

    def good(*words: object) -> str:
        ran = home(*words)
        assert ran.code == 0, (words, ran.err)
        return ran.out

    contacts = f"{V}/sobjects/Contact"
    gone, changed, erased = (
        str(org.send("POST", contacts, json={"LastName": name}).json()["id"])
        for name in ("Gone", "Changed", f"{NAME}Erased")
    )
    good("store", "encrypt", "--key-file", tmp_path / "key")
    home.environ["SFNB_STORE_KEY_FILE"] = str(tmp_path / "key")
    good("backup", "x", "--objects", OBJECTS, *(["--metadata"] if place == "folder" else []))
    org.send("PATCH", f"{contacts}/{changed}", json={"LastName": NAME})
    assert org.send("DELETE", f"{contacts}/{gone}").status_code == 204
    good("backup", "x", "--objects", OBJECTS)
    good("store", "compact", "x")
    good("export", "x", "Contact", "--to", tmp_path / "out.csv")
    assert NAME in (tmp_path / "out.csv").read_text("utf-8")
    (tmp_path / "ids").write_text(gone)
    first = min(one["snapshot"] for one in home("snapshots", "x", "--json").json)
    done = home("restore", "x", first, "--ids", tmp_path / "ids", "--json")
    assert done.code == 0 and done.json["restored"]["undeleted"] == 1, done.out

    lying = Files(root)
    paths = [path for path in lying.walk("") if not path.endswith(".lock")]
    contents = {path: lying.read(path) or b"" for path in paths}
    assert sum(path.endswith(".parquet") for path in paths) >= 3
    assert sum("/bodies/" in path for path in paths) >= 3
    for path, content in contents.items():
        is_log = "/_delta_log/" in path or path == store_key.MARKER
        assert content.startswith(MAGIC) != is_log, path
        assert NAME.encode() not in content, path

    (tmp_path / "ids").write_text(erased)
    erase = ("erase", "x", "--object", "Contact", "--ids", tmp_path / "ids", "--confirm", "x")
    if place == "bucket":
        # What such a bucket still has is said, and the certificate does not say otherwise.
        keep_versions(address, root.split("/")[2])
        ran = home(*erase, "--certificate", tmp_path / "certificate", "--json")
        assert ran.code == 3 and ran.json["warnings"][0]["code"] == "old_versions", ran.out
        assert '"verified": false' in (tmp_path / "certificate").read_text("utf-8")
    else:
        good(*erase)
    opened = open_store(root).org(org.org_id).files
    texts = (erased[:15].encode(), f"{NAME}Erased".encode())
    left = [p for p in opened.walk("") if any(t in c for t in texts for c in opened_as(opened, p))]
    assert left == [], "in an encrypted store, too, nothing is left behind the seal"
    assert "no damage" in good("verify", "x")

    store_key._known.clear()  # as another process
    (tmp_path / "key").rename(tmp_path / "away")
    ran = home("backup", "x")
    assert ran.code == 1 and ran.is_one_sentence() and "put it back" in ran.err
    home.environ["SFNB_STORE_KEY"] = store_key.new_secret()
    ran = home("snapshots", "x")
    assert ran.code == 1 and ran.is_one_sentence() and "does not open the store" in ran.err
    assert home.environ["SFNB_STORE_KEY"] not in ran.err
    del home.environ["SFNB_STORE_KEY"], home.environ["SFNB_STORE_KEY_FILE"]
    ran = home("snapshots", "x", PYTHON_KEYRING_BACKEND="keyring.backends.null.Keyring")
    assert ran.code == 1 and ran.is_one_sentence() and "nobody can read it" in ran.err
    ran = home("store", "encrypt", "--key-file", tmp_path / "other")
    assert ran.code == 2 and "not empty" in ran.err and not (tmp_path / "other").exists()


def opened_as(files: Files, path: str) -> list[bytes]:
    """A file's content behind the seal, and the values in its pages."""
    content = files.read(path) or b""
    if not path.endswith(".parquet"):
        return [content]
    return [content, repr(pq.read_table(pa.BufferReader(content)).to_pylist()).encode()]


SIZES = (0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES)


@pytest.mark.parametrize("size", SIZES)
def test_any_place_of_a_sealed_file_can_be_read(size: int) -> None:
    """Whole, in pieces and from the middle; its size follows from the sealed one; no two look alike."""
    cipher, content = Cipher("store", bytes(32)), secrets.token_bytes(size)
    sealed = cipher.sealed(content)
    assert plain_size(len(sealed)) == size and cipher.opened(sealed, "it") == content
    assert sealed != cipher.sealed(content)
    with pa.PythonFile(OpenedFile(pa.BufferReader(sealed), cipher, "it")) as file:
        assert file.size() == size
        for begin in (0, 1, CHUNK_BYTES - 2, size - 1):
            if begin >= 0:
                assert file.read_at(5, begin) == content[begin : begin + 5]
        file.seek(0)
        assert b"".join(iter(lambda: file.read(50_000), b"")) == content


def test_what_was_changed_is_refused() -> None:
    """Cut off at a chunk, swapped, one bit, another key, not sealed: an error, and no content."""
    cipher = Cipher("store", bytes(32))
    sealed = cipher.sealed(secrets.token_bytes(3 * CHUNK_BYTES))
    head, body = sealed[:HEAD_BYTES], sealed[HEAD_BYTES:]
    chunks = [body[at : at + SEALED_CHUNK_BYTES] for at in range(0, len(body), SEALED_CHUNK_BYTES)]
    changed = bytearray(sealed)
    changed[-1] ^= 1
    for wrong in (
        head + chunks[0] + chunks[1],
        head + chunks[1] + chunks[0] + chunks[2],
        bytes(changed),
        sealed[:10],
        b"",
        b"x" * 200_000,
    ):
        with pytest.raises(OSError, match="is not what was sealed"):
            cipher.opened(wrong, "it")
    with pytest.raises(OSError, match="is not what was sealed"):
        Cipher("store", bytes([1] * 32)).opened(sealed, "it")
    assert io.BytesIO(sealed).read(8) == MAGIC
