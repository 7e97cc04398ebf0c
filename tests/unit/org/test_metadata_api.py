"""Answers of the Metadata API: XML read within bounds, zips that may lie."""

from __future__ import annotations

import base64
import io
import zipfile

import pytest

from sfnb.errors import ObjectError, QuotaSignal, TransientError
from sfnb.org.metadata import archive, xml
from sfnb.org.metadata.api import RetrieveGone, SessionEnded, fault_error, fault_of
from sfnb.org.metadata.archive import BadArchive, read_archive, safe_path
from sfnb.org.metadata.xml import XmlReader, child, children


def zipped(*members: tuple[str, bytes]) -> io.BytesIO:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members:
            made.writestr(zipfile.ZipInfo(name), content)
    return sink


@pytest.mark.parametrize(
    "name",
    [
        "../out", "/etc/passwd", "a/../../b", "C:\\x", "C:/x", "a\\b", "", "unpackaged/", "a//b", "./a",
        "a/ b", "nul\x00.cls", "con ", "a.", "x\n.cls", "unpackaged/../x",
    ],
)  # fmt: skip
def test_a_name_that_could_lead_elsewhere_is_never_a_path(name: str) -> None:
    """Nothing of an archive from the org is unpacked outside of its folder."""
    assert safe_path(name) is None


def test_an_archive_gives_its_plain_files_and_names_the_others() -> None:
    """Dangerous and repeated names are left out and said; all others come with their bytes."""
    refused: list[str] = []
    source = zipped(
        ("unpackaged/a/b.cls", b"1"), ("../x", b"2"), ("a/b.cls", b"3"), ("Ü.object", b"4")
    )
    assert dict(read_archive(source, refused)) == {"a/b.cls": b"1", "Ü.object": b"4"}
    assert refused == ["../x", "a/b.cls"]


def test_an_archive_that_unpacks_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bomb ends as an error before it has filled memory."""
    monkeypatch.setattr(archive, "MAX_BYTES", 1000)
    with pytest.raises(BadArchive, match="more than any may"):
        list(read_archive(zipped(("a", b"x" * 600), ("b", b"y" * 600)), []))
    monkeypatch.setattr(archive, "MAX_FILES", 1)
    with pytest.raises(BadArchive, match="2 files"):
        list(read_archive(zipped(("a", b""), ("b", b"")), []))


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 cut"])
def test_what_is_no_zip_is_an_error_of_its_own(content: bytes) -> None:
    """An error page, or a cut answer, instead of a zip."""
    with pytest.raises(BadArchive):
        list(read_archive(io.BytesIO(content), []))


def test_a_zip_goes_to_its_sink_in_any_chunks() -> None:
    """Base64 in pieces of any size, with line ends in it, comes out whole."""
    content = bytes(range(256)) * 50
    text = base64.encodebytes(content)
    document = b"<a xmlns='n'><b>1</b><zipFile>" + text + b"</zipFile><b>2</b></a>"
    for size in (1, 7, 4096):
        sink = io.BytesIO()
        chunks = (document[n : n + size] for n in range(0, len(document), size))
        tree = XmlReader(sink=sink).read(chunks)
        assert sink.getvalue() == content
        assert children(child(tree, "a"), "b") == ["1", "2"]


@pytest.mark.parametrize(
    "document",
    [
        b'<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>',
        b"<a>" * 60,
        b"<a><zipFile>!!!!</zipFile></a>",
        b"<a>cut",
        b"no xml",
    ],
)
def test_xml_that_no_org_sends_is_an_error(document: bytes) -> None:
    """No entities, no endless depth, no half documents."""
    with pytest.raises(TransientError):
        XmlReader(sink=io.BytesIO()).read([document])


def test_a_text_without_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory stays bounded."""
    monkeypatch.setattr(xml, "MAX_TEXT_CHARS", 100)
    with pytest.raises(TransientError, match="longer"):
        XmlReader().read([b"<a>", b"x" * 400, b"</a>"])


def test_a_fault_means_what_its_code_means() -> None:
    """The codes are those of REST; the session's end and a lost result are told apart."""
    fault = (
        b"<e:Envelope xmlns:e='x'><e:Body><e:Fault><faultcode xmlns:sf='y'>sf:INVALID_LOCATOR</faultcode>"
        b"<faultstring>INVALID_LOCATOR: Retrieve result has been deleted.</faultstring></e:Fault></e:Body></e:Envelope>"
    )
    code, message = fault_of(fault)
    assert (code, message) == ("INVALID_LOCATOR", "Retrieve result has been deleted.")
    assert isinstance(fault_error(code, message, "x"), RetrieveGone)
    assert isinstance(fault_error("INVALID_SESSION_ID", "", "x"), SessionEnded)
    assert isinstance(fault_error("REQUEST_LIMIT_EXCEEDED", "TotalRequests", "x"), QuotaSignal)
    assert isinstance(fault_error("UNKNOWN_EXCEPTION", "", "x"), TransientError)
    refused = fault_error("INSUFFICIENT_ACCESS", "no", "x")
    assert isinstance(refused, ObjectError) and refused.code == "INSUFFICIENT_ACCESS"
    assert fault_of(b"<html>") == ("", "")
