"""A state that several people share: roles, whoever asks for the change and from where."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from sfnb import engine
from sfnb.clock import FakeClock, SystemClock
from sfnb.engine import backup
from sfnb.errors import CallerError, NotAllowed
from sfnb.installation import connect
from sfnb.memory import State, open_state
from sfnb.quota.limits import NewLimits
from sfnb.state.roles import NEEDS, ROLES
from sfnb.state.server_clock import ServerClock
from tests.command_line import CommandLine
from tests.conftest import RunningOrg
from tests.faults.conftest import settings_for

ORG = "00D000000000001EAA"


@pytest.fixture
def acts(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Says who acts from now on."""
    return lambda user: monkeypatch.setenv("SFNB_USER", user)


@pytest.fixture
def team(state: State, acts: Callable[[str], None]) -> State:
    """Ann is the admin, Otto an operator, Vera a viewer."""
    acts("ann")
    state.team.give("otto", "operator")
    state.team.give("vera", "viewer")
    return state


def held_job(state: State) -> str:
    return state.jobs.create("backup", "acme", ORG, {}, ["Account"]).job_id


DEEDS: dict[str, Callable[[State, str], object]] = {
    "limit": lambda state, _: state.ledger.set_limits(ORG, 60),
    "the screen's limit": lambda state, _: state.ledger.change_limits(
        ORG, [NewLimits({"api": 60})]
    ),
    "backup": lambda state, _: state.jobs.create("backup", "acme", ORG, {}, ["Case"]),
    "restore": lambda state, _: state.jobs.create("restore", "acme", ORG, {}, ["Case"], "s"),
    "archive": lambda state, _: state.jobs.create("archive", "acme", ORG, {}, ["Case"], "s"),
    "erase": lambda state, _: state.jobs.create("erase", "acme", ORG, {}, ["Case"], "s"),
    "pause": lambda state, job: state.jobs.want(job, "pause"),
    "run": lambda state, job: state.jobs.lease(job).release(),
    "org": lambda state, _: state.audit.record("org", "added", org="acme", org_id=ORG),
    "prune": lambda state, _: state.audit.record("prune", "removed", org="acme", org_id=ORG),
    "hold": lambda state, _: state.audit.record("hold", "added", org="acme", org_id=ORG),
    "hold removed": lambda state, _: state.audit.record("hold", "removed", org="acme", org_id=ORG),
    "schedule": lambda state, _: state.audit.record("schedule", "added", org="", org_id=""),
    "store": lambda state, _: state.team.require("store"),
    "role": lambda state, _: state.team.give("otto", "admin"),
}
OPERATORS_MAY_NOT = {"erase", "prune", "hold removed", "role"}


def test_a_viewer_changes_nothing(team: State, acts: Callable[[str], None]) -> None:
    """Each change is refused before it is made, in one sentence, and the try is in the audit log."""
    job = held_job(team)
    acts("vera")
    said = r"^(sfnb \(vera\)|vera) is a viewer on this state and may not [a-z, ]+;"
    for name, deed in DEEDS.items():
        before = picture(team)
        lines = len(team.audit.entries())
        with pytest.raises(NotAllowed, match=said):
            deed(team, job)
        assert picture(team) == before, name
        (line,) = team.audit.entries()[lines:]
        assert (line.action, line.facts()) == ("refused", {"role": "viewer"}), name
        assert "vera" in line.who
    assert team.audit.verify() == []


def picture(state: State) -> object:
    """All that a deed could change."""
    return state.ledger.limit_percents(ORG), state.jobs.find(), state.team.members()


def test_an_operator_does_the_daily_work(team: State, acts: Callable[[str], None]) -> None:
    """An operator may do all but what cannot be taken back, and give no roles; an admin may all."""
    job = held_job(team)
    for name, deed in DEEDS.items():
        acts("otto")
        if name in OPERATORS_MAY_NOT:
            with pytest.raises(NotAllowed, match=r"otto\)? is an operator"):
                deed(team, job)
            acts("ann")
        deed(team, job)
        for one in team.jobs.find():
            if one.job_id != job and not one.state.is_final:
                team.jobs.update(one.job_id, state="cancelled")
    assert team.audit.verify() == []


def test_a_deed_nobody_thought_of_needs_an_admin(team: State, acts: Callable[[str], None]) -> None:
    """A kind of job that has no role yet is no way around them."""
    acts("otto")
    with pytest.raises(NotAllowed):
        team.jobs.create("launch rockets", "acme", ORG, {}, None)
    assert set(NEEDS) >= {"limit", "backup", "restore", "archive", "erase", "prune", "hold", "role"}
    assert all(needs in ROLES for needs, _ in NEEDS.values())


def test_the_first_user_is_admin(state: State, acts: Callable[[str], None]) -> None:
    """Before the first role everybody is; whoever gives it stays one; the last admin stays."""
    acts("ann")
    assert state.team.me()[1] == "admin"
    if state.database.is_sqlite:  # elsewhere the login is one, too
        with pytest.raises(CallerError, match="last admin"):
            state.team.give("ann", "viewer")
        assert state.team.members() == []
    state.team.give("otto", "operator")
    assert state.team.me()[1] == "admin"
    acts("a stranger")
    assert state.team.me()[1] == "viewer"
    acts("ann")
    roles = {entry.subject: entry.facts()["role"] for entry in state.audit.entries(kinds=("role",))}
    assert roles["ann"] == "admin" and roles["otto"] == "operator"


@pytest.mark.parametrize("state_url", ["postgresql"], indirect=True)
def test_the_database_says_who_acts(state_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On PostgreSQL the login counts; SFNB_USER may tell people of one login apart, never allow more."""
    monkeypatch.delenv("SFNB_USER", raising=False)
    owner = make_url(state_url)
    with open_state(state_url) as state:
        state.team.give("vera", "viewer")
        assert state.team.me() == (state.team.me()[0], "admin")
        admin = create_engine(owner, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text("DROP ROLE IF EXISTS vera"))
            connection.execute(
                text("CREATE ROLE vera LOGIN IN ROLE pg_read_all_data, pg_write_all_data")
            )
        with open_state(owner.set(username="vera").render_as_string(hide_password=False)) as hers:
            monkeypatch.setenv("SFNB_USER", str(owner.username))
            with pytest.raises(NotAllowed, match=r"^vera \(sfnb\) is a viewer"):
                hers.ledger.set_limits(ORG, 60)
        monkeypatch.setenv("SFNB_USER", "vera")
        with pytest.raises(NotAllowed, match=r"^sfnb \(vera\) is a viewer"):
            state.ledger.set_limits(ORG, 60)
        monkeypatch.delenv("SFNB_USER")
        state.ledger.set_limits(ORG, 60)
        whos = [entry.who for entry in state.audit.entries() if entry.action == "refused"]
        assert whos == ["vera (sfnb)", "sfnb (vera)"]
        assert state.audit.verify() == []
        with admin.connect() as connection:
            connection.execute(text("DROP OWNED BY vera"))
            connection.execute(text("DROP ROLE vera"))
        admin.dispose()


def test_the_commands_of_a_viewer(fresh_org: Callable[..., RunningOrg], tmp_path: Path) -> None:
    """Exit code 1 and one sentence; what only reads works."""
    home = CommandLine.with_org(tmp_path / "home", fresh_org(objects={"Contact": 20}))
    assert (
        home("team", "role", "vera", "viewer", "--json", SFNB_USER="ann").json["role"] == "viewer"
    )
    for command in (
        ("limit", "x", "60"),
        ("backup", "x", "--objects", "Contact"),
        ("org", "remove", "x"),
        ("team", "role", "vera", "admin"),
        ("store", "compact", "x"),
        ("store", "upgrade", "x"),
        ("demo", "start"),
    ):
        ran = home(*command, SFNB_USER="vera")
        assert (ran.code, ran.is_one_sentence()) == (1, True), (command, ran.err)
        assert "vera is a viewer" in ran.err
    for command in (("limit", "x"), ("jobs",), ("audit", "x"), ("org", "list"), ("team", "list")):
        assert home(*command, SFNB_USER="vera").code == 0, command
    assert [m["user"] for m in home("team", "list", "--json").json] == ["ann", "vera"]


def test_a_notebook_of_a_viewer(
    fresh_org: Callable[..., RunningOrg],
    tmp_path: Path,
    acts: Callable[[str], None],
) -> None:
    """The engine refuses as the command does: nothing is started, no limit moves."""
    settings = settings_for(fresh_org(objects={"Contact": 20}), tmp_path / "home")
    acts("ann")
    with connect("demo", settings=settings, clock=FakeClock()) as org:
        org.state.team.give("vera", "viewer")
        acts("vera")
        for attempt in (
            lambda: engine.run(org, backup(objects=["Contact"])),
            lambda: engine.start(org, backup(objects=["Contact"])),
            lambda: engine.set_limit(org, 60),
        ):
            with pytest.raises(NotAllowed):
                attempt()
        assert org.state.jobs.find() == []


class Host(FakeClock):
    """A machine's clock, which can be set."""

    set_by = timedelta()

    def now(self) -> datetime:
        return super().now() + self.set_by


@pytest.fixture
def host() -> Iterator[Host]:
    yield Host()


def test_the_servers_time_counts(host: Host) -> None:
    """A host that is hours off, or whose clock is set while it runs, has the server's time."""
    server = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
    asked = []

    def ask() -> datetime:
        asked.append(1)
        return server.now()

    def pass_s(seconds: float) -> None:
        server.advance(seconds)
        host.advance(seconds)

    host.set_by = timedelta(hours=-7)
    clock = ServerClock(ask, host)
    pass_s(30)
    assert clock.now() == server.now()
    assert len(asked) == 1
    pass_s(31)
    assert clock.now() == server.now()
    assert len(asked) == 2
    host.set_by = timedelta(hours=5)  # set by hand, or the machine slept
    server.advance(3600)
    assert clock.now() == server.now()
    assert len(asked) == 3
    assert clock.now() == server.now()
    assert len(asked) == 3


@pytest.mark.parametrize("state_url", ["postgresql"], indirect=True)
def test_a_state_on_a_server_has_its_time(state_url: str) -> None:
    """Whoever opens it with a wrong clock of its own goes by the server's."""

    class Wrong(SystemClock):
        def now(self) -> datetime:
            return super().now() + timedelta(hours=9)

    with open_state(state_url, clock=Wrong()) as state:
        difference = state.database.clock.now() - state.database.server_time()
        assert abs(difference) < timedelta(hours=1)
