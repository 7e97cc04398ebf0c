"""A store in Google's cloud: without credentials there is a sentence at once, not minutes of silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from sfnb.errors import CallerError, StoreError
from sfnb.store.files import Files
from sfnb.store.google import has_credentials, is_google, login_file
from tests.unit.store.metadata import Metadata, closed


def test_without_credentials_there_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before any request to the store; a key file that cannot be read is a sentence, too."""
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "CLOUD_STORAGE_EMULATOR_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "APPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("GCE_METADATA_HOST", closed())
    with pytest.raises(CallerError, match="GOOGLE_APPLICATION_CREDENTIALS"):
        Files("gs://acme-backups/salesforce")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "nowhere.json"))
    with pytest.raises(StoreError, match=r"nowhere\.json"):
        Files("gs://acme-backups/salesforce")


def test_what_counts_as_credentials(tmp_path: Path) -> None:
    """A key file, gcloud's own login, or a machine of Google's, which is asked only then."""

    def never(_host: str) -> bool:
        raise AssertionError("it was asked")

    home = {"HOME": str(tmp_path), "APPDATA": str(tmp_path)}
    assert has_credentials({**home, "GOOGLE_APPLICATION_CREDENTIALS": "key.json"}, never)
    asked: list[str] = []
    assert not has_credentials(home, lambda host: bool(asked.append(host)))
    assert asked == ["169.254.169.254"]
    assert has_credentials(home, lambda _: True)
    login_file(home).parent.mkdir(parents=True)
    login_file(home).write_text("{}")
    assert has_credentials(home, never)


def test_only_google_answers_as_google(metadata: Metadata) -> None:
    """Amazon's machines have a metadata server at the same address."""
    assert is_google(metadata({"Metadata-Flavor": "Google"}))
    assert not is_google(metadata({"Server": "EC2ws"}))
    assert not is_google(closed())
