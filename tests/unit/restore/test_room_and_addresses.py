"""What fits into an org, and addresses as an org with picklists of states takes them."""

from __future__ import annotations

from sfnb.restore.describes import WriteField, WriteObject
from sfnb.restore.standard.addresses import with_codes
from sfnb.restore.storage import room_for


def test_what_does_not_fit_is_named() -> None:
    """2 kB a record, 8 a campaign; what the org does not say is no refusal."""
    limits = {"DataStorageMB": {"Max": 5, "Remaining": 1}, "FileStorageMB": {"Remaining": 1}}
    assert room_for(limits, {"Contact": 512}) == []
    (full,) = room_for(limits, {"Contact": 500, "Campaign": 10})
    assert (full.object_name, full.reason, full.rows) == ("Contact", "storage_full", 28)
    (files,) = room_for(limits, {}, file_bytes=2_000_000)
    assert (files.object_name, files.reason) == ("ContentVersion", "storage_full")
    assert room_for({}, {"Contact": 10**6}) == []
    assert room_for({"DataStorageMB": {"Remaining": "x"}}, {"Contact": 10**6}) == []


def test_a_state_goes_with_its_country_and_without_its_name() -> None:
    """A name beside a code is refused, and so is a state of another country."""
    names = ("BillingState", "BillingStateCode", "BillingCountry", "BillingCountryCode", "Name")
    codes = WriteObject("Account", {n: WriteField(n, "string") for n in names})
    wanted = {
        "BillingState": "Florida", "BillingStateCode": "FL", "BillingCountry": "United States",
        "BillingCountryCode": "US", "Name": "A",
    }  # fmt: skip
    assert with_codes(wanted, wanted, codes) == {
        "BillingStateCode": "FL", "BillingCountryCode": "US", "Name": "A",
    }  # fmt: skip
    assert with_codes({"BillingStateCode": "FL"}, wanted, codes) == {
        "BillingStateCode": "FL", "BillingCountryCode": "US",
    }  # fmt: skip
    plain = WriteObject("Account", {n: WriteField(n, "string") for n in ("BillingState", "Name")})
    assert with_codes({"BillingState": "FL"}, {"BillingState": "FL"}, plain) == {
        "BillingState": "FL"
    }
