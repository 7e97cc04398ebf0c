"""Names as arguments: of orgs, jobs, snapshots, objects. A shell completes them
without a call to any org."""

from __future__ import annotations

from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem

from sfnb.cli.context import App
from sfnb.errors import SfnbError


class Name(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """
    A name that the shell can complete; any text is taken.

    Each kind says what there is in `choices`. What cannot be read while a person presses the tab key
    completes to nothing.
    """

    name = "text"

    def choices(self, app: App, org: str) -> Iterable[str]:
        """The names there are; ``org`` is the one typed before, if any."""
        raise NotImplementedError

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        app = App()
        # The last of several names is completed, as in --objects Account,Con.
        before, comma, last = incomplete.rpartition(",")
        try:
            # After an option that still lacks its value, click leaves arguments unread in ctx.args.
            name = ctx.params.get("name") or next(iter(ctx.args), "")
            found = sorted(set(self.choices(app, str(name))))
        except (SfnbError, OSError):
            return []
        finally:
            app.close()
        return [CompletionItem(before + comma + name) for name in found if name.startswith(last)]


class OrgName(Name):
    def choices(self, app: App, org: str) -> Iterable[str]:  # noqa: ARG002
        return app.org_names


class JobId(Name):
    def choices(self, app: App, org: str) -> Iterable[str]:  # noqa: ARG002
        return [job.job_id for job in app.state.jobs.find()]


class SnapshotId(Name):
    def choices(self, app: App, org: str) -> Iterable[str]:
        return ["latest", *app.store(org).snapshots]


class ObjectName(Name):
    """Objects that the newest snapshots have."""

    def choices(self, app: App, org: str) -> Iterable[str]:
        newest = list(app.store(org).snapshots.values())[-3:]
        return [name for snapshot in newest for name in snapshot.plan.objects]


ORG, JOB, SNAPSHOT, OBJECT = OrgName(), JobId(), SnapshotId(), ObjectName()
