"""The port RunStore, on SQLite."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from services.training_history.adapters.sqlite_run_store import SqliteRunStore
from services.training_history.domain.compaction import Compactor
from services.training_history.domain.model import Experiment, Run, RunStatus
from services.training_history.domain.ports import Changes, Snapshot, SyncMarks

URI = "http://mlflow:5000"


def run(run_id: str, name: str = "name") -> Run:
    return Compactor().run(
        run_id=run_id,
        experiment_id="1",
        run_name=name,
        status=RunStatus.RUNNING,
        start_ms=5,
        end_ms=None,
        user="ana",
        artifact_uri="s3://bucket/x",
        metrics=[("loss", 0.5), ("nan", math.nan), ("up", math.inf)],
        params=[("lr", "1e-5")],
        tags=[("model", "m"), ("mlflow.user", "ana"), ("ünï", "cödé" * 2000)],
    )


async def reopened(folder: Path, uri: str = URI) -> Snapshot:
    store = SqliteRunStore(folder, uri)
    try:
        return await store.load()
    finally:
        store.close()


async def test_empty_at_first(tmp_path: Path) -> None:
    assert await reopened(tmp_path / "new" / "folder") == Snapshot([], [], SyncMarks())


async def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    store = SqliteRunStore(tmp_path, URI)
    await store.load()
    marks = SyncMarks(17, {"1": 4})
    experiments = [Experiment("1", "one"), Experiment("2", "two")]
    await store.save(Changes(experiments, [run("a"), run("b"), run("c")], [], SyncMarks(3)))
    await store.save(Changes(experiments[:1], [run("b", "renamed")], ["c", "unknown"], marks))
    store.close()
    loaded = await reopened(tmp_path)
    again = {r.run_id: Compactor().again(r) for r in loaded.runs}
    assert again == {"a": run("a"), "b": run("b", "renamed")}
    assert (list(loaded.experiments), loaded.marks) == (experiments[:1], marks)


async def test_each_tracking_server_has_its_own(tmp_path: Path) -> None:
    store = SqliteRunStore(tmp_path, URI)
    await store.load()
    await store.save(Changes([Experiment("1", "one")], [run("a")], [], SyncMarks(3)))
    store.close()
    assert (await reopened(tmp_path, "http://other:5000")).runs == []
    assert len((await reopened(tmp_path)).runs) == 1


async def test_one_process_at_a_time(tmp_path: Path) -> None:
    first = SqliteRunStore(tmp_path, URI)
    await first.load()
    with pytest.raises(OSError, match="in use by another process"):
        await reopened(tmp_path)
    first.close()
    await reopened(tmp_path)


async def test_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        await reopened(tmp_path / "file" / "below")


async def test_saving_after_close_is_an_error(tmp_path: Path) -> None:
    store = SqliteRunStore(tmp_path, URI)
    await store.load()
    store.close()
    with pytest.raises(OSError, match="is closed"):
        await store.save(Changes([], [], [], SyncMarks()))
