"""
Runs `contrib/airflow/sfnb_backup.py` with a real Airflow, in an environment of its own, against a
demo org: `python tools/airflow.py`. The first time it installs Airflow into `.airflow/` (minutes).

The suite's test of the DAG runs this too where that environment is there, and is skipped elsewhere.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOME = Path(os.environ.get("SFNB_AIRFLOW", ROOT / ".airflow"))
PACKAGES = [
    "apache-airflow>=3,<4",
    "apache-airflow-providers-papermill",
    "apache-airflow-providers-standard",
]


def airflow() -> Path:
    """Airflow's command, there or not."""
    return HOME / ("Scripts" if os.name == "nt" else "bin") / "airflow"


def install() -> None:
    venv.create(HOME, with_pip=True)
    python = str(airflow().with_name("python"))
    subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], check=True)


def run(folder: Path) -> str:
    """What `airflow dags test` prints; everything is kept in ``folder``, no server stays."""
    kernels, runs, home = folder / "kernels", folder / "runs", folder / "airflow"
    runs.mkdir(parents=True)
    sfnb = [sys.executable, "-m", "sfnb"]
    # Airflow's own environment must not leak into sfnb's kernel, nor the other way round.
    env = {name: value for name, value in os.environ.items() if not name.startswith("SFNB_")}
    env |= {
        "SFNB_HOME": str(folder / "home"),
        "SFNB_ORG": "demo",
        "SFNB_NOTEBOOK": str(ROOT / "notebooks" / "run_backup.ipynb"),
        "SFNB_RUNS": str(runs),
        "SFNB_COMMAND": " ".join(sfnb),
        "SFNB_HEADER_LAG_S": "0",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])),
    }
    kernel = [sys.executable, "-m", "ipykernel", "install", "--prefix", str(kernels), "--name"]
    subprocess.run([*kernel, "sfnb"], check=True, env=env, capture_output=True)
    start = ["demo", "start", "--size", "tiny", "--competitors", "off"]
    subprocess.run([*sfnb, *start], check=True, env=env, stdout=subprocess.DEVNULL)
    theirs = env | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "contrib" / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "JUPYTER_PATH": str(kernels / "share" / "jupyter"),
    }
    try:
        _airflow(theirs, "db", "migrate")
        _airflow(theirs, "dags", "reserialize")
        ran = _airflow(theirs, "dags", "test", "sfnb_backup")
        jobs = subprocess.run([*sfnb, "jobs"], env=env, check=True, capture_output=True, text=True)
        return ran + jobs.stdout
    finally:
        subprocess.run([*sfnb, "demo", "stop"], check=False, env=env, stdout=subprocess.DEVNULL)


def _airflow(env: dict[str, str], *words: str) -> str:
    done = subprocess.run(
        [str(airflow()), *words],
        env=env,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode:
        raise SystemExit(f"airflow {' '.join(words)} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


if __name__ == "__main__":
    if not airflow().exists():
        install()
    with tempfile.TemporaryDirectory(prefix="sfnb-airflow-", ignore_cleanup_errors=True) as made:
        print(run(Path(made)))
