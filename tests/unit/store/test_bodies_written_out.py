"""Bodies are written under the names of their files: none over another, none outside."""

from __future__ import annotations

import pytest

from sfnb.store.bodies.fields import Body
from sfnb.store.bodies.writing_out import MOST_NAME_BYTES, distinct_name, plain_name


def body(name: str, number: int, field: str = "VersionData") -> Body:
    return Body("ContentVersion", f"068{number:012d}AAA", field, "v", 1, "", name)


def test_no_two_bodies_share_a_name() -> None:
    """One title, one title in other letters, one in another Unicode form: each has its own file."""
    taken: set[str] = set()
    names = ["Offer.pdf", "Offer.pdf", "OFFER.pdf", "Caf\u00e9.txt", "Cafe\u0301.txt", "", ""]
    found = [distinct_name(body(name, n), taken) for n, name in enumerate(names)]
    assert found[0] == "ContentVersion/Offer.pdf"
    assert found[1] == "ContentVersion/Offer 068000000000001AAA.pdf"
    assert found[5] == "ContentVersion/068000000000005AAA"
    assert len({name.casefold() for name in found}) == len(names)
    two = [distinct_name(body("a.txt", 9, f"Field{n}"), set(taken)) for n in (1, 2)]
    assert two[0] == two[1]  # each alone has the plain name
    both = [distinct_name(body("a.txt", 9, f"Field{n}"), taken) for n in (1, 2, 3)]
    assert len(set(both)) == 3


@pytest.mark.parametrize(
    ("said", "plain"),
    [
        ("C:\\files\\a.txt", "a.txt"),
        ("../../etc/passwd", "passwd"),
        ("..", ""),
        ("a:b?.txt", "a_b_.txt"),
        ("NUL.txt", "_NUL.txt"),
        ("dot. ", "dot"),
        ("tab\there", "tab_here"),
    ],
)
def test_a_name_leads_nowhere(said: str, plain: str) -> None:
    """What an org calls a file is no path, and no device of Windows."""
    assert plain_name(said) == plain


def test_a_long_name_keeps_its_ending() -> None:
    """As long as file systems take, in whole letters."""
    found = plain_name("\u00e4" * 300 + ".pdf")
    assert found.endswith("\u00e4.pdf") and len(found.encode()) <= MOST_NAME_BYTES
