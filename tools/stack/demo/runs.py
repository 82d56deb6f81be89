"""Gives a new MLflow database its sample runs; `python -m tools.stack.demo.runs --folder F`.

Done once per database, so that a run that a user deletes stays deleted.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from tools.stack import mlflow_store, servers
from tools.stack.sample_runs import sample_runs

COUNT = 200


def main() -> None:
    """Make the database when it is missing."""
    parser = argparse.ArgumentParser(prog="demo.runs")
    parser.add_argument("--folder", type=Path, required=True)
    folder: Path = parser.parse_args().folder
    marker = folder / ".seeded"
    if marker.exists():
        print("sample runs: there already")
        return
    (folder / "mlflow.db").unlink(missing_ok=True)  # of an attempt that was broken off
    database = servers.mlflow_database(folder)
    now_ms = int(time.time() * 1000)
    ids = mlflow_store.insert_runs(database, "mlflow-artifacts:", sample_runs(COUNT, now_ms))
    marker.touch()
    print(f"sample runs: {len(ids)} inserted")


if __name__ == "__main__":
    main()
