# ruff: noqa: E501 - a catalogue reads best as a table, one field after the other
"""
The sales team's objects: accounts, people, deals, products, contracts, orders, campaigns and
related ones.
"""

from __future__ import annotations

from typing import Any

from sfnb_demo.data import campaigns, compounds, fills, pools, prices
from sfnb_demo.data import fields as f
from sfnb_demo.data import system_fields as system
from sfnb_demo.data.people import record_type
from sfnb_demo.data.schema import Field, ObjectDef

COMPANY = fills.spiced(
    fills.joined(fills.pick(pools.COMPANY_HEADS), fills.pick(pools.COMPANY_TAILS), separator=" "),
    share=0.02,
)
INDUSTRIES = (
    "Agriculture",
    "Banking",
    "Chemicals",
    "Energy",
    "Healthcare",
    "Media",
    "Retail",
    "Technology",
    "Transportation",
)
SOURCES = ("Web", "Phone Inquiry", "Partner Referral", "Purchased List", "Other")
STAGES = (
    "Prospecting",
    "Qualification",
    "Proposal/Price Quote",
    "Negotiation/Review",
    "Closed Won",
    "Closed Lost",
)


def history(name: str, parent: str, rows: int) -> ObjectDef:
    """Field history: no modification stamps, old and new value of any type."""
    key = f"{parent}Id" if not parent.endswith("__c") else "ParentId"
    fixed: dict[str, Any] = {"is_filterable": False, "is_sortable": False, "length": 255}
    return ObjectDef(
        name, "017",
        (
            system.ID, system.IS_DELETED, f.detail(key, parent, children="Histories"), *reversed(system.created()),
            f.picklist("Field", "Name", "Owner", "Status", "created", nulls=0), f.picklist("DataType", "Text", "EntityId", nulls=0),
            Field("OldValue", "anyType", fill=fills.spiced(fills.pick(pools.PRODUCTS, nulls=0.3)), **fixed),
            Field("NewValue", "anyType", fill=fills.spiced(fills.pick(pools.PRODUCTS)), **fixed),
        ),
        rows=rows, is_writable=False, associate_type="History", associate_parent=parent,
    )  # fmt: skip


def share(name: str, prefix: str, parent: str, rows: int) -> ObjectDef:
    """Sharing rows: LastModifiedDate, but no SystemModstamp."""
    return ObjectDef(
        name, prefix,
        (
            system.ID, f.detail(f"{parent}Id", parent, children="Shares"), f.lookup("UserOrGroupId", "User", "Group", nulls=0),
            f.picklist(f"{parent}AccessLevel", "Read", "Edit", "All", nulls=0), f.picklist("RowCause", "Owner", "Manual", "Rule", nulls=0),
            Field("LastModifiedDate", "datetime", is_nillable=False, is_createable=False, is_updateable=False, fill=fills.moment(back_days=900, nulls=0)),
            f.lookup("LastModifiedById", "User", nulls=0), system.IS_DELETED,
        ),
        rows=rows, is_replicateable=False, has_bin=False, associate_type="Share", associate_parent=parent,
    )  # fmt: skip


def feed(name: str, parent: str, rows: int) -> ObjectDef:
    return ObjectDef(
        name, "0D5",
        (
            system.ID, f.detail("ParentId", parent, children="Feeds"), f.picklist("Type", "TextPost", "TrackedChange", nulls=0), *reversed(system.created()),
            system.IS_DELETED, *system.modified()[:1], system.modstamp(), f.integer("CommentCount", 0, 5), f.integer("LikeCount", 0, 9), f.area("Body", 10000, is_html=True),
        ),
        rows=rows, is_writable=False, has_bulk=False, is_replicateable=False, associate_type="Feed", associate_parent=parent,
    )  # fmt: skip


def _owned_parent(name: str, targets: tuple[str, ...], children: str) -> Field:
    return f.lookup(name, *targets, children=children, nulls=0.2)


def objects() -> list[ObjectDef]:
    given: dict[str, Any] = {"is_createable": False, "is_updateable": False}
    account = system.table(
        "Account",
        "001",
        f.name(255, fill=COMPANY),
        f.lookup("MasterRecordId", "Account", nulls=1.0, **given),
        f.picklist(
            "Type",
            "Prospect",
            "Customer - Direct",
            "Customer - Channel",
            "Technology Partner",
            "Other",
        ),
        record_type("Account"),
        f.lookup("ParentId", "Account", children="ChildAccounts", nulls=0.7),
        *compounds.address("Billing"),
        *compounds.address("Shipping"),
        f.phone("Phone"),
        f.phone("Fax"),
        f.text("AccountNumber", 40, fill=fills.spiced(fills.numbered("", 8, nulls=0.3))),
        f.url("Website"),
        f.text("Sic", 20, fill=fills.numbered("00", 4, nulls=0.6)),
        f.picklist("Industry", *INDUSTRIES),
        f.currency("AnnualRevenue", 0, 5e9, nulls=0.3),
        f.integer("NumberOfEmployees", 1, 90000, nulls=0.2),
        f.text(
            "TickerSymbol", 20, fill=fills.pick(("ACME", "NA", "TRUE", "NULL", "00A"), nulls=0.7)
        ),
        f.area("Description", 32000),
        f.picklist("Rating", "Hot", "Warm", "Cold"),
        f.owner(children="OwnedAccounts"),
        f.text(
            "External_Id__c",
            40,
            fill=fills.numbered("ACC-", 7),
            is_external_id=True,
            is_unique=True,
        ),
        f.picklist("Region__c", "EMEA", "AMER", "APAC"),
        f.number("Score__c", -100, 100, scale=6),
        f.formula(
            "Revenue_per_Head__c",
            "double",
            "{AnnualRevenue} / nullif({NumberOfEmployees}, 0)",
            scale=2,
        ),
        f.formula("Is_Large__c", "boolean", "coalesce({AnnualRevenue} > 1e9, false)"),
        rows=2500,
        plural="Accounts",
    )
    contact = system.table(
        "Contact", "003", f.master_record("Contact"),
        f.lookup("AccountId", "Account", children="Contacts", nulls=0.08, on_delete="cascade"), *compounds.person_name(), f.picklist("Salutation", "Mr.", "Ms.", "Dr.", "Prof.", nulls=0.3),
        *compounds.address("Mailing"), f.phone("Phone"), f.phone("MobilePhone"), f.lookup("ReportsToId", "Contact", nulls=0.7, relationship="ReportsTo"),
        f.email("Email"), f.text("Title", 128, fill=fills.spiced(fills.pick(pools.TITLES, nulls=0.2))),
        f.text("Department", 80, fill=fills.pick(("Sales", "Purchasing", "R&D", "Legal"), nulls=0.4)), f.picklist("LeadSource", *SOURCES, nulls=0.3),
        f.date("Birthdate", back_days=30000, nulls=0.5, has_extremes=True), f.area("Description", 32000, nulls=0.6), f.owner(),
        f.boolean("HasOptedOutOfEmail", 0.1), f.boolean("DoNotCall", 0.1), f.date("LastActivityDate", nulls=0.5, is_createable=False, is_updateable=False),
        f.text("External_Id__c", 40, fill=fills.numbered("CON-", 8), is_external_id=True, is_unique=True),
        f.picklist("Level__c", "Primary", "Secondary", "Tertiary"), f.multipicklist("Languages__c", "English", "German", "French", "日本語"),
        f.formula("Display__c", "string", "concat({LastName}, coalesce(', ' || {FirstName}, ''))"),
        rows=5000,
    )  # fmt: skip
    lead = system.table(
        "Lead", "00Q", f.master_record("Lead"),
        *compounds.person_name(), f.text("Company", 255, fill=COMPANY, is_nillable=False), f.text("Title", 128, fill=fills.pick(pools.TITLES, nulls=0.3)),
        *compounds.address(""), f.phone("Phone"), f.email("Email"), f.picklist("LeadSource", *SOURCES), f.picklist("Status", "Open", "Working", "Qualified", "Unqualified", nulls=0),
        f.picklist("Industry", *INDUSTRIES, nulls=0.4), f.currency("AnnualRevenue", 0, 1e8, nulls=0.6), f.integer("NumberOfEmployees", 1, 5000, nulls=0.5),
        f.owner(), f.boolean("IsConverted", 0.0, is_updateable=False), f.lookup("ConvertedAccountId", "Account", nulls=1.0, **given), f.area("Description", 32000, nulls=0.7),
        Field("ConvertedDate", "date", **given), f.lookup("ConvertedContactId", "Contact", **given).filled(None), f.lookup("ConvertedOpportunityId", "Opportunity", **given).filled(None),
        rows=1500,
    )  # fmt: skip
    opportunity = system.table(
        "Opportunity", "006",
        f.lookup("AccountId", "Account", children="Opportunities", nulls=0.02, on_delete="cascade"), record_type("Opportunity"),
        f.name(120, fill=fills.spiced(fills.joined(fills.pick(pools.COMPANY_HEADS), fills.pick(pools.PRODUCTS), fills.numbered("#", 5), separator=" "))),
        f.area("Description", 32000, nulls=0.7), f.picklist("StageName", *STAGES, nulls=0), f.currency("Amount", 100, 2e6, nulls=0.1),
        f.percent("Probability"), f.date("CloseDate", nulls=0), f.picklist("Type", "New Customer", "Existing Customer"), f.picklist("LeadSource", *SOURCES),
        f.formula("IsClosed", "boolean", "{StageName} IN ('Closed Won', 'Closed Lost')"), f.formula("IsWon", "boolean", "{StageName} = 'Closed Won'"),
        f.formula("ExpectedRevenue", "currency", "round({Amount} * {Probability} / 100, 2)", scale=2), f.lookup("CampaignId", "Campaign", nulls=0.7, children="Opportunities"),
        f.lookup("Pricebook2Id", "Pricebook2").filled(prices.book_of_deal), f.owner(), f.text("Order_Number__c", 8, fill=fills.numbered("", 8, nulls=0.4)),
        rows=2000, plural="Opportunities",
    )  # fmt: skip
    line = system.table(
        "OpportunityLineItem", "00k",
        f.detail("OpportunityId", "Opportunity", children="OpportunityLineItems"), f.lookup("PricebookEntryId", "PricebookEntry", nulls=0).filled(prices.entry_of_line),
        f.lookup("Product2Id", "Product2", nulls=0).filled(prices.product_of_line), f.text("ProductCode", 255, fill=fills.numbered("P-", 4)), f.number("Quantity", 1, 50, nulls=0),
        f.currency("UnitPrice", 1, 5000, nulls=0), f.formula("TotalPrice", "currency", "{Quantity} * {UnitPrice}", scale=2), f.date("ServiceDate", nulls=0.7),
        f.text("Description", 255, nulls=0.6), f.integer("SortOrder", 1, 9, nulls=0.2),
        rows=3000, label="Opportunity Product",
    )  # fmt: skip
    return [
        account, contact, lead, opportunity, line,
        system.table("Product2", "01t", f.name(255, fill=fills.joined(fills.pick(pools.PRODUCTS), fills.numbered("", 3), separator=" ")),
                f.text("ProductCode", 255, fill=fills.numbered("P-", 4)), f.area("Description", 4000), f.boolean("IsActive", 0.9),
                f.picklist("Family", "Hardware", "Software", "Service"), rows=60, label="Product"),
        system.table("Pricebook2", "01s", f.name(255, fill=fills.numbered("Price Book ", 1)), f.boolean("IsActive", 1.0), f.boolean("IsStandard", is_createable=False, is_updateable=False).filled(prices.is_standard), f.text("Description"),
                rows=3, is_fixed=True, label="Price Book"),
        system.table("PricebookEntry", "01u", f.lookup("Pricebook2Id", "Pricebook2", nulls=0, children="PricebookEntries", on_delete="cascade").filled(prices.book_of_entry), f.lookup("Product2Id", "Product2", nulls=0, children="PricebookEntries", on_delete="cascade").filled(prices.product_of_entry),
                f.currency("UnitPrice", 1, 5000, nulls=0), f.boolean("IsActive", 0.9), rows=150, label="Price Book Entry", plural="Price Book Entries"),
        system.table("Campaign", "701", f.name(80, fill=fills.spiced(fills.numbered("Campaign ", 3))), f.lookup("ParentId", "Campaign", nulls=0.7, children="ChildCampaigns"),
                f.picklist("Type", "Conference", "Webinar", "Email"), f.picklist("Status", "Planned", "In Progress", "Completed"), f.date("StartDate"), f.date("EndDate"),
                f.currency("BudgetedCost"), f.boolean("IsActive"), f.user_owner(), rows=40),
        system.table("CampaignMember", "00v", f.detail("CampaignId", "Campaign", children="CampaignMembers"), f.lookup("ContactId", "Contact", children="CampaignMembers", on_delete="cascade").filled(campaigns.contact),
                f.lookup("LeadId", "Lead", children="CampaignMembers", on_delete="cascade").filled(campaigns.lead), f.picklist("Status", "Sent", "Responded", nulls=0), f.boolean("HasResponded"), rows=800, has_bin=False),
        system.table("Contract", "800", f.lookup("AccountId", "Account", nulls=0, children="Contracts", on_delete="cascade"), f.auto_number("ContractNumber", "", width=8, is_name=True),
                f.picklist("Status", "Draft", "Activated", nulls=0), f.date("StartDate"), f.integer("ContractTerm", 1, 60, nulls=0.1), *compounds.address("Billing"), f.owner(), rows=200),
        system.table("Order", "801", f.lookup("AccountId", "Account", nulls=0.05, children="Orders", on_delete="cascade"), f.lookup("ContractId", "Contract", nulls=0.6, children="Orders"),
                f.auto_number("OrderNumber", "", width=8, is_name=True), f.date("EffectiveDate", nulls=0), f.picklist("Status", "Draft", "Activated", nulls=0),
                f.currency("TotalAmount", 0, 1e5), *compounds.address("Billing"), f.owner(), rows=400),
        system.table("OrderItem", "802", f.detail("OrderId", "Order", children="OrderItems"), f.lookup("Product2Id", "Product2", nulls=0), f.number("Quantity", 1, 20, nulls=0),
                f.currency("UnitPrice", 1, 5000, nulls=0), f.auto_number("OrderItemNumber", "", width=10), rows=800, label="Order Product"),
        system.table("Asset", "02i", f.name(255, fill=fills.spiced(fills.numbered("Asset ", 5))), f.lookup("AccountId", "Account", nulls=0.1, children="Assets", on_delete="cascade"),
                f.lookup("ContactId", "Contact", nulls=0.3, children="Assets", on_delete="cascade"), f.lookup("ParentId", "Asset", nulls=0.8, children="ChildAssets"), f.lookup("Product2Id", "Product2", children="Assets"),
                f.text("SerialNumber", 80, fill=fills.numbered("000", 6)), f.date("PurchaseDate", has_extremes=True), f.number("Quantity", 1, 9), f.user_owner(), rows=300),
        history("AccountHistory", "Account", 600), history("OpportunityFieldHistory", "Opportunity", 800), history("ContactHistory", "Contact", 400),
        share("AccountShare", "00r", "Account", 500), share("OpportunityShare", "00t", "Opportunity", 300), feed("AccountFeed", "Account", 200),
    ]  # fmt: skip
