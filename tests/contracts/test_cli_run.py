"""`sfnb run`: notebooks without a browser."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import nbformat
import psutil
import pytest

from sfnb.store.files import Files
from tests.command_line import CommandLine
from tests.conftest import RunningOrg
from tests.contracts.s3_server import DENIED, environment, s3_door


@pytest.fixture
def home(tmp_path: Path, demo_org: RunningOrg) -> CommandLine:
    """A home in which the demo org is known as x."""
    return CommandLine.with_org(tmp_path / "home", demo_org)


def notebook(path: Path, *cells: str, parameters: str = "") -> Path:
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    if parameters:
        made.cells.insert(
            0, nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
        )
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "", "language": "python"}
    nbformat.write(made, path)
    return path


def test_a_killed_kernel_is_one_sentence(home: CommandLine, tmp_path: Path) -> None:
    """What the cells printed is shown, the job that died with the kernel is named, and can be resumed."""
    path = notebook(
        tmp_path / "dies.ipynb",
        "import os, signal, sfnb\nfrom sfnb import engine\nprint('before', flush=True)",
        "job = engine.start(sfnb.connect('x'), engine.backup(objects=['Account']))",
        "os._exit(9)",
    )
    ran = home.apart("run", path, "--output", tmp_path / "out.ipynb")
    assert ran.code == 1 and "before" in ran.out
    assert ran.is_one_sentence() and "kernel ended" in ran.err, ran.err
    job_id = home("jobs", "--json").json[-1]["job_id"]
    assert f"`sfnb resume {job_id}`" in ran.err
    done = home("resume", job_id, "--json")
    assert done.code == 0 and done.json["state"] == "completed"


def test_a_cell_that_fails_is_one_sentence(home: CommandLine, tmp_path: Path) -> None:
    """
    The error's own words and the executed notebook are named; JSON goes to standard output alone.
    Home, store and state that are given as relative paths are the same in the notebook.
    """
    path = notebook(tmp_path / "fails.ipynb", "print('\\x1b[31mred')", "1 / 0")
    ran = home.apart("run", path, "--output", tmp_path / "out.ipynb", "--json")
    assert ran.code == ran.json["exit_code"] == 1 and "red" in ran.err and "\x1b" not in ran.err
    assert "ZeroDivisionError: division by zero" in ran.sentence and "out.ipynb" in ran.sentence
    told = "s = load_settings()\nprint(s.home, s.store_root, s.state_url)"
    good = notebook(tmp_path / "works.ipynb", f"from sfnb.settings import load_settings\n{told}")
    relative = {
        "SFNB_HOME": os.path.relpath(home.home),
        "SFNB_STORE": os.path.relpath(tmp_path / "store"),
        "SFNB_STATE_URL": f"sqlite:///{os.path.relpath(home.home / 'state.db')}",
    }
    ran = home.apart("run", good, "--output", tmp_path / "out.ipynb", "--json", **relative)
    there, base = home.home.resolve(), tmp_path.resolve()
    found = f"{there} {base / 'store'} sqlite:///{(there / 'state.db').as_posix()}"
    assert (ran.code, ran.err) == (0, f"{found}\n"), "nothing of the kernel's own is shown"
    page = tmp_path / "out.html"
    assert ran.json == {"notebook": str(tmp_path / "out.ipynb"), "html": str(page), "job": None}


def test_a_run_is_kept_with_its_page_and_old_ones_go(home: CommandLine, tmp_path: Path) -> None:
    """Each run leaves its notebook and a page without code or network; of each org the newest stay."""
    path = notebook(
        tmp_path / "say.ipynb",
        "from IPython.display import HTML\nprint('secret' + 'less')\nHTML(f'<b id=x>{org}</b>')",
        parameters="org = 'x'",
    )
    folder = home.home / "runs"
    (folder).mkdir(parents=True)
    for old in ("say-x-20200101T000000Z", "say-x-20210101T000000Z", "say-y-20200101T000000Z"):
        for suffix in (".ipynb", ".html"):
            (folder / f"{old}{suffix}").write_text("old")
    (folder / "say-x-notes.ipynb").write_text("mine")
    ran = home.apart("run", path, "--keep", "2", "--json")
    assert ran.code == 0, ran.err
    html = Path(ran.json["html"])
    page = html.read_text("utf-8")
    assert '<b id="x">x</b>' in page.replace("id=x", 'id="x"') and "secretless" in page
    assert "'less'" not in page, "no code"
    assert "default-src 'none'" in page and "http://" not in page and "https://" not in page
    kept = sorted(one.name for one in folder.glob("*.ipynb"))
    assert kept == sorted(
        [
            "say-x-20210101T000000Z.ipynb", html.with_suffix(".ipynb").name,
            "say-x-notes.ipynb", "say-y-20200101T000000Z.ipynb",
        ]
    )  # fmt: skip
    assert not (folder / "say-x-20200101T000000Z.html").exists()


def test_a_notebook_runs_once_at_a_time_for_an_org(home: CommandLine, tmp_path: Path) -> None:
    """
    The second one is refused and says who runs it; another org's may run. A process that is gone
    holds no lock.
    """
    path = notebook(
        tmp_path / "long.ipynb",
        "print('begun', flush=True)",
        "import threading\nif wait:\n    threading.Event().wait()",
        parameters="org = 'x'\nwait = False",
    )
    first = home.start("run", path, "-p", "wait", "True", "--json")
    first.wait_for("begun")
    second = home("run", path)
    assert second.code == 1 and second.is_one_sentence(), second.err
    assert "already runs for x, since" in second.err and str(first.process.pid) in second.err
    assert home("run", path, "-p", "org", "y", "--json").code == 0
    kernels = psutil.Process(first.process.pid).children(recursive=True)
    first.process.kill()
    first.ended()
    for kernel in kernels:
        kernel.kill()
    assert home("run", path, "--json").code == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("nowhere",), "There is no notebook nowhere"),
        (("{here}/text.ipynb",), "is no notebook"),
        (("{here}/plain.ipynb", "-p", "org", "x"), "none of its cells has the tag `parameters`"),
        (("{here}/tagged.ipynb", "-p", "orgs", "x"), "has no parameter orgs; it has org"),
        (
            ("{here}/tagged.ipynb", "--kernel", "fortran"),
            "needs the kernel 'fortran', which is not",
        ),
        (("{here}/r.ipynb",), "needs the kernel 'ir', which is not here; there is"),
        (("{here}/plain.ipynb", "--output", "s9://bucket/x/"), "cannot be"),
        (("{here}/plain.ipynb", "--output", "http://127.0.0.1:9/x.ipynb"), "cannot be written to"),
    ],
)
def test_what_cannot_be_run_is_wrong_usage(
    home: CommandLine, tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    """One sentence and exit code 2, before anything is run."""
    (tmp_path / "text.ipynb").write_text("no notebook")
    notebook(tmp_path / "plain.ipynb", "print('ran')")
    notebook(tmp_path / "tagged.ipynb", "print('ran')", parameters="org = 'x'")
    other = nbformat.read(notebook(tmp_path / "r.ipynb", "print('ran')"), as_version=4)
    other.metadata["kernelspec"] = {"name": "ir", "display_name": "R", "language": "R"}
    nbformat.write(other, tmp_path / "r.ipynb")
    ran = home("run", *(word.format(here=tmp_path) for word in words))
    assert ran.code == 2 and ran.is_one_sentence() and says in ran.err, ran.err
    assert "ran" not in ran.out


def test_another_machines_name_of_python_is_no_hindrance(home: CommandLine, tmp_path: Path) -> None:
    """A notebook that was saved in somebody's own environment runs in this one."""
    made = nbformat.read(notebook(tmp_path / "a.ipynb", "print('said')"), as_version=4)
    made.metadata["kernelspec"] = {"name": "my-venv", "display_name": "", "language": "python"}
    nbformat.write(made, tmp_path / "a.ipynb")
    ran = home("run", tmp_path / "a.ipynb", "--output", tmp_path / "out" / "")
    assert ran.code == 0 and "said" in ran.out, ran.err
    assert len([*(tmp_path / "out").glob("a-*.html")]) == 1


@pytest.fixture
def shelf() -> Iterator[tuple[str, dict[str, bytes]]]:
    """A server that keeps what is put there: its address, and what it has."""
    kept: dict[str, bytes] = {}

    class Put(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            kept[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(201)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """The test's output stays its own."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Put)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", kept
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_run_may_be_kept_elsewhere(
    home: CommandLine, tmp_path: Path, shelf: tuple[str, dict[str, bytes]]
) -> None:
    """Any target that papermill knows gets the executed notebook; nothing of it stays here."""
    address, kept = shelf
    path = notebook(tmp_path / "far.ipynb", "print('said' * 2)")
    ran = home("run", path, "--output", f"{address}/runs/", "--json")
    assert ran.code == 0, ran.err
    name = ran.json["notebook"].removeprefix(address)
    assert name.startswith("/runs/far-") and [*kept] == [name]
    cell = nbformat.reads(json.dumps(json.loads(kept[name])), as_version=4).cells[0]
    assert cell.outputs[0].text == "saidsaid\n"
    assert [*(home.home / "runs").glob("far-*")] == []


def test_runs_are_kept_in_a_bucket(
    home: CommandLine, tmp_path: Path, s3_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Notebook and page go into an object store, old ones of the same notebook and org go, nothing
    stays here; a bucket that is closed costs no run.
    """
    for name, value in environment(s3_address).items():
        monkeypatch.setenv(name, value)
        home.environ[name] = value
    runs = Files(f"s3://sfnb-{secrets.token_hex(4)}/runs")
    for old in (
        "bucket-x-20200101T000000Z",
        "bucket-x-20210101T000000Z",
        "bucket-y-20200101T000000Z",
    ):
        runs.put(f"{old}.ipynb", b"old")
        runs.put(f"{old}.html", b"old")
    config = home.home / "sfnb.toml"
    config.write_text(f'runs = "{runs.root}"\n' + config.read_text("utf-8"), "utf-8")
    path = notebook(tmp_path / "bucket.ipynb", "print('said' * 2)", parameters="org = 'x'")
    ran = home("run", path, "--keep", "2", "--json")
    assert ran.code == 0, ran.err
    name = ran.json["notebook"].removeprefix(f"{runs.root}/")
    page = ran.json["html"].removeprefix(f"{runs.root}/")
    assert b"saidsaid" in (runs.read(name) or b"") and b"saidsaid" in (runs.read(page) or b"")
    kept = {"bucket-x-20210101T000000Z", "bucket-y-20200101T000000Z", name.removesuffix(".ipynb")}
    assert {*runs.names("")} == {f"{one}.{kind}" for one in kept for kind in ("ipynb", "html")}
    assert [*(home.home / "runs").glob("bucket-*")] == []
    with s3_door(s3_address) as door:
        door.refuse = lambda *_: DENIED
        home.environ["AWS_ENDPOINT_URL"] = door.address
        ran = home("run", path, "--output", f"{runs.root}/x.ipynb")
    assert ran.code == 2 and ran.is_one_sentence() and "permission denied" in ran.err, ran.err
    assert "said" not in ran.out


def test_make_demo_pauses_and_resumes_in_sight(tmp_path: Path) -> None:
    """`make demo` shows progress, the pause and the resume as they happen, on a machine of any speed."""
    demo = Path(__file__).parents[2] / "tools" / "demo.py"
    home = CommandLine(tmp_path / "home")
    ran = subprocess.run(
        [sys.executable, str(demo)], env=home.environ, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    at = 0
    for words in (" records so far", "paused: ", "resumed: ", "completed"):
        at = ran.stdout.index(words, at)
    assert "resumed by itself; exit code 0" in ran.stdout and ran.stderr == ""
