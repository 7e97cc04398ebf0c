"""
A DAG that backs up an org each night with Airflow's Papermill operator.

Airflow and sfnb live in environments of their own: the notebook runs in the kernel ``sfnb``, made by
``/opt/sfnb/bin/python -m ipykernel install --name sfnb`` (with ``--prefix`` or ``--user`` where
Airflow's workers look for kernels). Airflow needs ``apache-airflow-providers-papermill``.

A job that reaches the org's limit is paused, which is no failure: the task ``resume`` tries again
every half hour, up to two days, and holds no worker meanwhile.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow.providers.papermill.operators.papermill import PapermillOperator
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG

ORG = os.environ.get("SFNB_ORG", "acme")
SFNB = os.environ.get("SFNB_COMMAND", "/opt/sfnb/bin/sfnb")
NOTEBOOK = os.environ.get("SFNB_NOTEBOOK", "/opt/sfnb/notebooks/run_backup.ipynb")
RUNS = os.environ.get("SFNB_RUNS", "/var/lib/sfnb/runs")  # or s3://bucket/runs
OUTCOME = "application/vnd.sfnb.outcome+json"


def check_outcome(executed: str) -> str:
    """The state of the notebook's job; a failed one fails the task."""
    cells = json.loads(Path(executed).read_text("utf-8"))["cells"]
    outputs = [out.get("data", {}) for cell in cells for out in cell.get("outputs", [])]
    summary = next(data[OUTCOME] for data in reversed(outputs) if OUTCOME in data)
    print(f"job {summary['job_id']} {summary['state']}: {summary['rows']} records")
    if summary["state"] not in ("completed", "paused"):
        raise RuntimeError(f"job {summary['job_id']} ended {summary['state']}")
    return str(summary["state"])


with DAG(
    dag_id="sfnb_backup",
    schedule="0 2 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,  # a notebook runs once at a time for an org
    tags=["salesforce", "backup"],
) as dag:
    executed = f"{RUNS}/{ORG}-{{{{ ts_nodash }}}}.ipynb"
    backup = PapermillOperator(
        task_id="backup",
        input_nb=NOTEBOOK,
        output_nb=executed,
        parameters={"org": ORG, "on_pause": "exit"},
        kernel_name=os.environ.get("SFNB_KERNEL", "sfnb"),
        language_name="python",
    )
    outcome = PythonOperator(
        task_id="outcome", python_callable=check_outcome, op_kwargs={"executed": executed}
    )
    resume = BashOperator(
        task_id="resume",
        bash_command=f"{SFNB} resume --all --on-pause exit",
        append_env=True,
        retries=96,
        retry_delay=timedelta(minutes=30),
    )
    backup >> outcome >> resume
