"""
One word per thing, and the field's word: the words that sfnb has given up stay away.

Names are checked word by word (`old_road` has `road`), prose by phrase: docstrings, comments,
messages, pages, notebooks.
"""

from __future__ import annotations

import io
import json
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

import sfnb

ROOT = Path(sfnb.__file__).parents[1]

OLD_NAMES = {
    "besides": "other",
    "books": "QuotaState, or the book's own name",
    "desk": "UnitContext",
    "face": "nothing: say what the module has",
    "fan": "EventFan",
    "litter": "orphan",
    "pulse": "Timer",
    "road": "reader",
    "roads": "readers",
    "survey": "Discovery",
    "told": "the thing: saved, payload, row, reading, answer",
    "track": "ObjectRun",
    "tracks": "object runs",
}
"""Each old word in a name, and what to say instead."""

OLD_PHRASES = {
    r"asked again": "looked at again, tried again",
    r"asked for again": "requested again",
    r"besides": "other, also, as well as",
    r"comes? to be": "is created",
    r"flap(s|ping)?": "oscillate, or say what happens",
    r"(goes|go|going) on by (itself|themselves)": "resumes by itself",
    r"(had|has|have|is|are|was|were) (\w+ )?told(?! apart)": "reported, named, shown",
    r"is asked for": "is requested",
    r"litter": "orphan",
    r"no whole": "not a whole, not valid",
    r"roads?": "reader",
    r"tells? of": "reports, names",
    r"under way": "in flight, running",
    r"what is there": "what is stored",
}
"""Each old phrase (a pattern), and what to say instead."""

KEPT_NAMES = {"EventFan"}

KEPT = {
    (
        "sfnb/model.py",
        "road",
    ): "the key in manifests and databases made before readers were readers",
    ("sfnb/model.py", "roads"): "likewise",
}
"""Where an old word is read on purpose, and why."""


def rooms() -> Iterator[tuple[str, list[Path]]]:
    for place in sorted((ROOT / "sfnb").iterdir()):
        if place.suffix in (".py", ".md") or (place.is_dir() and place.name != "__pycache__"):
            files = [place] if place.is_file() else sorted(place.rglob("*"))
            yield place.relative_to(ROOT).as_posix(), files
    for name in ("sfnb_demo", "notebooks", "docs", "tools", "benchmarks", "changes"):
        yield name, sorted((ROOT / name).rglob("*"))
    yield "pages", [*ROOT.glob("*.md")]


ROOMS = dict(rooms())


def old_words_in(path: Path) -> list[str]:
    """Each finding as ``file:line: word (say …)``."""
    name = path.relative_to(ROOT).as_posix()
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        names, prose = names_and_prose(text)
    elif path.suffix == ".ipynb":
        names, prose = [], [(0, "".join(c["source"])) for c in json.loads(text)["cells"]]
    else:
        names, prose = [], [(0, text)]
    found = [
        (line, word, OLD_NAMES[word])
        for line, whole in names
        for word in words_of(whole)
        if word in OLD_NAMES and whole not in KEPT_NAMES
    ]
    for line, piece in prose:
        for pattern, better in OLD_PHRASES.items():
            for match in re.finditer(rf"(?<![\w-]){pattern}(?![\w-])", flat(piece), re.IGNORECASE):
                found.append((line, match[0].lower(), better))
    return [
        f"{name}:{line}: {word} (say: {better})"
        for line, word, better in found
        if (name, word) not in KEPT
    ]


def words_of(name: str) -> list[str]:
    """``ToldEvent`` and ``told_event`` are told, event."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]


def names_and_prose(source: str) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """The names of a Python file, and its texts and comments, with their lines."""
    names, prose = [], []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME:
            names.append((token.start[0], token.string))
        elif token.type in (tokenize.STRING, tokenize.COMMENT):
            prose.append((token.start[0], token.string))
    return names, prose


def flat(text: str) -> str:
    """Text without the breaks of its lines and of texts that Python joins."""
    return re.sub(r"\s+#? *", " ", text)


@pytest.mark.parametrize("room", ROOMS)
def test_the_old_words_stay_away(room: str) -> None:
    """A stranger meets one word per thing, in names as in messages."""
    kinds = (".py", ".md", ".ipynb", ".html", ".js")
    files = [
        p
        for p in ROOMS[room]
        if p.suffix in kinds and p.is_file() and not {"migrations", "node_modules"} & {*p.parts}
    ]
    found = [line for path in files for line in old_words_in(path)]
    assert found == []


def test_old_words_are_found() -> None:
    """The check finds a name, a phrase and one that a line's end divides."""
    names, prose = names_and_prose(
        "oldRoad = told_rows  # calls under\n'''it goes\n on by itself'''\n"
    )
    assert [word for _, name in names for word in words_of(name)] == ["old", "road", "told", "rows"]
    assert any(re.search("goes on by itself", flat(text)) for _, text in prose)
