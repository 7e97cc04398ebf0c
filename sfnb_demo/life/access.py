# ruff: noqa: S608 - the column is one of PERMISSIONS
"""What users may see, changed while the org runs."""

from __future__ import annotations

from typing import Any

from sfnb_demo.data import ids
from sfnb_demo.data.database import Database
from sfnb_demo.data.people import PERMISSIONS
from sfnb_demo.life.given import Given, check_keys, field_of, object_of
from sfnb_demo.soql.names import quote

_KEYS = frozenset({"record_type", "user", "hide", "show", "permission", "has"})
_ALWAYS = ("Id", "IsDeleted", "OwnerId", "SystemModstamp", "LastModifiedDate", "CreatedDate")


class Access:
    """
    Gives and takes permissions. ``user`` is a user name; the default is the administrator.

    ``{"hide": "Contact.Email"}`` and ``{"hide": "Lead"}`` (``show`` undoes it): the user's describes
    no longer have it, and a query that names it is refused as if there were no such thing.
    ``{"record_type": "Case.Complaint", "has": false}``: the user's profile has it no longer, so it
    is not available in describes, and refused in records.
    ``{"permission": "ViewAllData", "has": false}``: from now on the user sees only own records, in
    queries, ``/updated`` and ``/deleted``.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def do(self, given: Given) -> dict[str, Any]:
        """
        Do what one entry says.

        Raises:
            ValueError: for a user, object, field or permission that there is not.
        """
        check_keys(given, _KEYS)
        organization = self._database.organization
        username = given.get("user") or organization.users[0].username
        user = organization.find_user(str(username))
        if user is None:
            raise ValueError(f"there is no user {username}")
        for key in ("hide", "show"):
            if key in given:
                self._hide(user.user_id, str(given[key]), is_hidden=key == "hide")
        if "record_type" in given:
            self._assign(user.user_id, str(given["record_type"]), has=bool(given["has"]))
        if "permission" in given:
            self._permit(user.user_id, str(given["permission"]), has=bool(given["has"]))
        self._database.changes += 1
        return {"user": user.username, **{k: v for k, v in given.items() if k != "user"}}

    def _hide(self, user_id: str, what: str, *, is_hidden: bool) -> None:
        name, _, field_name = what.partition(".")
        obj = object_of(self._database, {"object": name})
        field = field_of(obj, {"field": field_name}).name if field_name else ""
        if field in _ALWAYS:
            raise ValueError(f"{obj.name}.{field} cannot be hidden from anybody")
        self._database.hide(user_id, obj.name, field, is_hidden=is_hidden)

    def _assign(self, user_id: str, what: str, *, has: bool) -> None:
        name, _, developer_name = what.partition(".")
        sql = 'SELECT "Id" FROM "RecordType" WHERE "SobjectType" = ? AND "DeveloperName" = ?'
        found = self._database.storage.rows(sql, [name, developer_name])
        if not found:
            raise ValueError(f"there is no record type {what}")
        unassigned = self._database.saver.references.unassigned
        one = frozenset({str(found[0][0])})
        known = unassigned.get(user_id, frozenset())
        unassigned[user_id] = known - one if has else known | one
        self._database.schema_dates.touch(name)

    def _permit(self, user_id: str, name: str, *, has: bool) -> None:
        if name not in PERMISSIONS:
            raise ValueError(f"permission must be one of {', '.join(PERMISSIONS)}")
        row = ids.make_id("0uP", ids.number_of(user_id))
        with self._database.storage.writing():
            self._database.storage.rows(
                f'UPDATE "UserPermissionAccess" SET {quote("Permissions" + name)} = ? WHERE "Id" = ?',
                [has, row],
            )
