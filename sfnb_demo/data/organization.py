"""The org as logins need it: its Id, name and users."""

from __future__ import annotations

from sfnb_demo.data.schema import Organization, User
from sfnb_demo.data.storage import Storage

_ORGANIZATION = (
    'SELECT "Id", "Name", "InstanceName", "OrganizationType", "IsSandbox" FROM "Organization"'
)
_USERS = (
    # The name of a person is composed when it is read, so no column holds it.
    'SELECT u."Id", u."Username", concat_ws(\' \', u."FirstName", u."LastName"), u."Email", '
    'u."ProfileId", p."Name", u."IsActive" '
    'FROM "User" u LEFT JOIN "Profile" p ON p."Id" = u."ProfileId" ORDER BY u."Id"'
)


def organization_of(storage: Storage) -> Organization:
    """The org and all its users, deactivated ones too, from the stored rows."""
    ((org_id, name, instance, kind, is_sandbox),) = storage.rows(_ORGANIZATION)
    users = tuple(
        User(user_id, username, user_name, email, profile_id, profile, is_active=is_active)
        for user_id, username, user_name, email, profile_id, profile, is_active in storage.rows(
            _USERS
        )
    )
    return Organization(
        id=org_id,
        id15=org_id[:15],
        name=name,
        instance_name=instance,
        organization_type=kind,
        is_sandbox=is_sandbox,
        users=users,
    )
