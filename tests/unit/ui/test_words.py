"""What the front ends say is written in Python."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from sfnb.ui.screen import STATIC, module, styles
from sfnb.ui.words import WORDS, words_of

DASHBOARD = files("sfnb.dashboard") / "static"

STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`')
SENTENCE = re.compile(r"[A-Za-z]{2,} [a-z]{2,}|[A-Za-z]{2,} …")


def code_of(name: str) -> str:
    """A script without its comments."""
    folder = DASHBOARD if (DASHBOARD / f"{name}.js").is_file() else STATIC
    text = (folder / f"{name}.js").read_text("utf-8")
    return re.sub(r"(?m)(^|\s)//.*$|/\*.*?\*/", "", text)


@pytest.mark.parametrize("name", ["shared", *WORDS])
def test_the_javascript_has_no_sentence_of_its_own(name: str) -> None:
    """The JS decides nothing, not even a word: each sentence comes from the view or from `sfnb.ui.words`."""
    said = [
        text
        for text in STRING.findall(re.sub(r"className: (\"[^\"]*\"|`[^`]*`)", "", code_of(name)))
        if SENTENCE.search(re.sub(r"\$\{[^}]*\}", "", text))
    ]
    assert said == []


@pytest.mark.parametrize("name", WORDS)
def test_each_word_is_there_and_used(name: str) -> None:
    """A script asks for no word that is missing, and none is written for nobody."""
    code = code_of("shared") + code_of(name)
    asked = set(re.findall(r'word\("(\w+)"', code)) | set(re.findall(r"WORDS\.(\w+)", code))
    # Choices are listed once, as the values that are sent and the keys of their words.
    for keys in re.findall(r"\[([^\]]+)\]\.map\(\(value\) => \[[^\]]*WORDS\[value\]\]", code):
        asked |= set(re.findall(r'"(\w+)"', keys))
    assert asked == set(words_of(name))
    assert module(name, "").startswith("const WORDS = {")


def test_the_style_sheet_has_its_colours() -> None:
    """Widgets take their colours from the one palette; no name of a colour is left over."""
    assert not re.search(r": (OWN|OTHERS|LIMIT);", styles())
    assert "--own: #0072B2;" in styles()
