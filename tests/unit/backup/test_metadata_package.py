"""What to ask the Metadata API for: names, folders, packages, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfnb.backup.metadata.package import cut, due, halves, is_too_large, owners, spellings
from sfnb.org.metadata.api import Component
from sfnb.store.metadata.canonical import canonical, merged
from sfnb.store.metadata.diff import compare
from sfnb.store.metadata.packs import StoredFile
from sfnb.store.metadata.record import MetadataRecord, Missing
from sfnb.store.metadata.view import distinct

NOW = datetime(2026, 11, 27, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "name", "namespace", "expected"),
    [
        (
            "Layout",
            "Account-Sales Layout",
            "ns",
            ["Account-Sales Layout", "Account-ns__Sales Layout"],
        ),
        ("Layout", "Account-ns__A", "ns", ["Account-ns__A"]),
        ("CustomMetadata", "ns__Rate.One", "ns", ["ns__Rate.One", "ns__Rate.ns__One"]),
        ("QuickAction", "Case.Close", "ns", ["Case.Close", "Case.ns__Close"]),
        ("ApexClass", "ns__Foo", "ns", ["ns__Foo"]),
        ("ApexClass", "Foo", "", ["Foo"]),
    ],
)
def test_packaged_components_are_known_by_both_names(
    kind: str, name: str, namespace: str, expected: list[str]
) -> None:
    """listMetadata leaves the second namespace out; a component is missing only under all names."""
    assert list(spellings(Component(kind, name, "", namespace=namespace))) == expected


members = st.lists(
    st.tuples(
        st.sampled_from(["ApexClass", "Layout", "Profile"]), st.text("ab", min_size=1, max_size=9)
    ),
    unique=True,
    max_size=40,
)


@given(members, st.integers(1, 12))
def test_packages_have_each_member_and_each_profile_with_everything(
    some: list[Any], most: int
) -> None:
    """Cut and halved, nothing gets lost, and a profile is asked for with whatever it speaks of."""
    packages = cut(some, {}, max_members=most)
    assert {m for p in packages for m in p} == set(some)
    profiles = {m for m in some if m[0] == "Profile"}
    assert all(profiles <= set(p) for p in packages)
    for package in packages:
        if len(package) > 1:
            parts = halves(package)
            assert {m for p in parts for m in p} == set(package)
            assert all(p and len(p) < len(package) for p in parts) or profiles


def test_packages_are_cut_by_the_sizes_of_the_last_run() -> None:
    """Many small components in one retrieve, two large ones in two."""
    some = [("StaticResource", "a"), ("StaticResource", "b"), ("ApexClass", "c")]
    sizes = {some[0]: 150 << 20, some[1]: 150 << 20}
    assert [len(p) for p in cut(some, sizes)] == [1, 2]
    assert [len(p) for p in cut(some, {})] == [3]


@pytest.mark.parametrize(
    ("last", "is_changed", "expected"),
    [
        (None, None, "all"),
        (NOW - timedelta(days=8), False, "all"),
        (NOW - timedelta(days=1), False, "no"),
        (NOW - timedelta(days=1), True, "list"),
        (NOW - timedelta(days=1), None, "list"),
    ],
)
def test_all_is_due_once_a_week(
    last: datetime | None, is_changed: bool | None, expected: str
) -> None:
    """Between two weekly retrieves the lists decide, and a quiet org is not even asked for them."""
    assert due(last, NOW, days=7, is_changed=is_changed) == expected


def test_limits_are_known_by_their_words() -> None:
    """What may work in halves is halved; what is broken is not taken for it."""
    assert is_too_large("LIMIT_EXCEEDED", "Too many files in retrieve call, limit is: 10000")
    assert not is_too_large("UNKNOWN_EXCEPTION", "An unexpected error occurred.")


def test_each_file_has_an_owner() -> None:
    """Main file, -meta.xml beside it, and all below a bundle's folder."""
    components = [
        Component("ApexClass", "A", "unpackaged/classes/A.cls"),
        Component("LightningComponentBundle", "b", "unpackaged/lwc/b"),
        Component("Report", "F", "unpackaged/reports/F"),
        Component("Report", "F/R", "unpackaged/reports/F/R.report"),
    ]
    paths = [
        "classes/A.cls",
        "classes/A.cls-meta.xml",
        "lwc/b/b.js",
        "reports/F/R.report",
        "reports/F-meta.xml",
    ]
    assert owners([*paths, "other.txt"], components) == {
        "classes/A.cls": ("ApexClass", "A"),
        "classes/A.cls-meta.xml": ("ApexClass", "A"),
        "lwc/b/b.js": ("LightningComponentBundle", "b"),
        "reports/F/R.report": ("Report", "F/R"),
        "reports/F-meta.xml": ("Report", "F"),
    }


def test_names_that_a_file_system_takes_for_one_stay_two() -> None:
    """Case and Unicode forms count as equal; the second file gets a number."""
    taken: set[str] = set()
    names = ["a/Ä.cls", "a/ä.cls", "a/A\u0308.cls", "a/b", "a/B"]
    assert [distinct(n, taken) for n in names] == [
        "a/Ä.cls",
        "a/ä~2.cls",
        "a/A\u0308~3.cls",
        "a/b",
        "a/B~2",
    ]


# -- comparing -------------------------------------------------------------------------------------

HEAD = b'<?xml version="1.0"?>\n<Profile xmlns="http://soap.sforce.com/2006/04/metadata">'


def test_order_is_no_change_and_a_value_is() -> None:
    """Repeated elements with a key may come in any order; in a layout the order of fields counts."""
    one = HEAD + b"<a><field>X</field><v>1</v></a> <a><field>Y</field><v>2</v></a></Profile>"
    two = HEAD + b"<a><field>Y</field><v>2</v></a><a><field>X</field>\n<v>1</v></a></Profile>"
    three = two.replace(b"<v>1</v>", b"<v>3</v>")
    assert canonical("a.profile", one) == canonical("a.profile", two)
    assert canonical("a.profile", one) != canonical("a.profile", three)
    inner = HEAD + b"<s><i><field>X</field></i><i><field>Y</field></i></s></Profile>"
    other = HEAD + b"<s><i><field>Y</field></i><i><field>X</field></i></s></Profile>"
    assert canonical("a.object", inner) == canonical("a.object", other)
    assert canonical("a.layout", inner) != canonical("a.layout", other)
    assert canonical("a.cls", b"class A {}") == b"class A {}"
    entity = b'<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>'
    assert canonical("a.xml", entity) == entity


def test_a_profile_is_joined_from_what_several_retrieves_say() -> None:
    """Each element once, whichever piece brought it."""
    one = HEAD + b"<o><object>A</object></o><custom>false</custom></Profile>"
    two = HEAD + b"<o><object>B</object></o><custom>false</custom></Profile>"
    both = (
        HEAD + b"<custom>false</custom><o><object>A</object></o><o><object>B</object></o></Profile>"
    )
    assert canonical("p.profile", merged([one, two])) == canonical("p.profile", both)
    assert merged([one]) == one


def record(
    components: dict[str, dict[str, list[str]]], files: dict[str, bytes], **more: Any
) -> tuple[MetadataRecord, dict[str, bytes]]:
    stored = {p: StoredFile(str(hash(c)), len(c), "p") for p, c in files.items()}
    return MetadataRecord(
        "s", api_version=more.pop("version", "66.0"), components=components, files=stored, **more
    ), files


def changes(old: Any, new: Any) -> list[tuple[str, str, str]]:
    found = compare(old[0], new[0], old[1].__getitem__, new[1].__getitem__)
    return [(c.type, c.name, c.change) for c in found.changes]


def test_what_could_not_be_had_is_not_removed() -> None:
    """Absence is no deletion: a missing component, a type of another API version."""
    old = record(
        {"A": {"x": ["x"], "y": ["y"]}, "B": {"z": ["z"]}}, {"x": b"1", "y": b"2", "z": b"3"}
    )
    new = record({"A": {"x": ["x"]}}, {"x": b"1"}, missing=[Missing("A", "y", "broken")])
    assert changes(old, new) == [("B", "z", "removed")]
    newer = record({"A": {"x": ["x"], "y": ["y"]}}, {"x": b"1", "y": b"9"}, version="67.0")
    assert changes(old, newer) == [("A", "y", "changed")]
    assert "67.0" in compare(old[0], newer[0], old[1].__getitem__, newer[1].__getitem__).notes[0]


def test_a_profile_changes_only_in_what_both_snapshots_have() -> None:
    """A new object adds permissions to each profile; nobody has changed the profiles."""
    few = HEAD + b"<o><object>A</object><r>1</r></o></Profile>"
    more = HEAD + b"<o><object>A</object><r>1</r></o><o><object>B</object><r>1</r></o></Profile>"
    profile = {"Profile": {"Admin": ["p.profile"]}}
    old = record(profile | {"CustomObject": {"A": []}}, {"p.profile": few})
    new = record(profile | {"CustomObject": {"A": [], "B": []}}, {"p.profile": more})
    assert changes(old, new) == [("CustomObject", "B", "added")]
    other = record(
        profile | {"CustomObject": {"A": []}}, {"p.profile": few.replace(b"<r>1", b"<r>0")}
    )
    assert changes(old, other) == [("Profile", "Admin", "changed")]
