"""(skeleton) standard objects."""

from __future__ import annotations

from sfnb.demo.data import fills, pools
from sfnb.demo.data import fields as f
from sfnb.demo.data.schema import ObjectDef


def objects() -> list[ObjectDef]:
    return [
        f.table(
            "Organization",
            "00D",
            f.name(80, fill=fills.constant("Acme Demo")),
            rows=1,
            is_fixed=True,
            is_deletable=False,
        ),
        f.table("User", "005", *f.person_name(), rows=30, is_fixed=True, is_deletable=False),
        f.table(
            "Account",
            "001",
            f.name(
                fill=fills.spiced(
                    fills.joined(fills.pick(pools.COMPANY_HEADS), fills.pick(pools.COMPANY_TAILS), separator=" ")
                )
            ),
            f.lookup("ParentId", "Account", children="ChildAccounts", nulls=0.7),
            *f.address("Billing"),
            f.user_owner(),
            rows=2500,
        ),
        f.table(
            "Contact",
            "003",
            *f.person_name(),
            f.lookup("AccountId", "Account", children="Contacts"),
            *f.address("Mailing"),
            f.email("Email"),
            f.user_owner(),
            rows=6000,
        ),
    ]
