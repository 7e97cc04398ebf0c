"""What a plan says beside its waves, read off the workspace once everything is settled."""

from __future__ import annotations

from collections.abc import Mapping

from sfnb.model import JobWarning
from sfnb.restore.describes import WriteObject
from sfnb.restore.gathering import Refused
from sfnb.restore.plan import Refusal
from sfnb.restore.refusals import MESSAGES, SET_ONCE, Fault
from sfnb.restore.undeletes import lost_for_good
from sfnb.restore.workspace import ABSENT, Workspace


def refusals_of(workspace: Workspace, refused: Refused) -> list[Refusal]:
    """
    What is not restored, and why.

    Args:
        refused: what the records by themselves gave reason for.
    """
    found = [
        Refusal(name, reason, rows, field_name, Fault(reason, field_name, message).text)
        for (name, reason, field_name, message), rows in refused.items()
    ]
    for name, field_name, rows in workspace.all(
        "select object, field, count(*) from rows where action = 'refuse' "
        "and reason = 'parent_missing' group by 1, 2 order by 1, 2"
    ):
        found.append(Refusal(name, "parent_missing", rows, field_name, MESSAGES["parent_missing"]))
    for name, field_name, rows in workspace.all(
        "select r.object, o.field, count(*) from left_out o join rows r using (old_id) "
        "where not o.is_later and (r.action in ('create', 'update') or r.action = 'skip' "
        "and r.reason = 'parent_missing') group by 1, 2 order by 1, 2"
    ):
        message = f"{MESSAGES['parent_missing']}; the field is left empty"
        found.append(Refusal(name, "parent_missing", rows, field_name, message))
    for name, field_name, rows in lost_for_good(workspace):
        found.append(Refusal(name, "field_not_writable", rows, field_name, SET_ONCE))
    return found


def keys_of(workspace: Workspace, targets: Mapping[str, WriteObject]) -> dict[str, str]:
    """By object, a unique external id that every new record has."""
    found = {}
    for (name,) in workspace.all(
        "select distinct object from rows where action = 'create' order by 1"
    ):
        for key in targets[name].unique_keys:
            query = (
                "select count(*) from rows join facts f using (old_id) where object = ? "
                "and action = 'create' and reason = '' and f.field = ? and value = ?"
            )
            if key.is_createable and not workspace.one(query, [name, key.name, ABSENT]):
                found[name] = key.name
                break
    return found


def written_twice(workspace: Workspace) -> dict[str, int]:
    """Records that are made, and get a reference or a status later; by object."""
    return dict(
        workspace.all(
            "select object, count(*) from rows where action = 'create' and (old_id in "
            "(select old_id from left_out where is_later) or old_id in (select old_id from late)) "
            "group by 1 order by 1"
        )
    )


def email_tasks(workspace: Workspace) -> list[JobWarning]:
    """
    Living tasks of e-mails that are made anew: the org makes another task for each, and takes none
    for it (see `tasks_after_emails`).
    """
    count = workspace.one(
        "select count(*) from emails e where e.task in "
        "(select old_id from rows where action in ('skip', 'update') "
        "union all select id from standing where is_usable)"
    )
    if not count:
        return []
    message = (
        f"{count:,} e-mails are made anew whose tasks are still there. The org makes a task of its "
        "own for each new e-mail, so such a task is there twice afterwards: delete the older one."
    )
    return [JobWarning("email_task", "EmailMessage", message)]


def account_teams(workspace: Workspace, targets: Mapping[str, WriteObject]) -> list[JobWarning]:
    """
    An account's new owner takes its team away, and only SOAP has a header that keeps it
    (OwnerChangeOptions; Help 000390190).
    """
    rows = workspace.one(
        "select count(*) from rows where object = 'Account' and action = 'update' and old_id in "
        "(select old_id from links where field = 'OwnerId' union all "
        "select old_id from given where field = 'OwnerId')"
    )
    target = targets.get("Account")
    has_teams = target is not None and any(c == "AccountTeamMember" for c, _ in target.cascades)
    if not rows or not has_teams:
        return []
    message = (
        f"{rows:,} accounts get their owner back; the org then removes their account teams and "
        "the shares of those. Restore AccountTeamMember after it."
    )
    return [JobWarning("account_team", "Account", message)]
