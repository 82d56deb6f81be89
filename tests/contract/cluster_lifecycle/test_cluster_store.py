"""What every ClusterStore promises, and what folders add: crashes, other processes, foreign files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from services.cluster_lifecycle.adapters.cluster_folders import ClusterFolders
from services.cluster_lifecycle.domain.ports import ClusterStore, Request
from services.common.errors import AlreadyExistsError, ConflictError, NotFoundError

ROOT = Path(__file__).resolve().parents[3]
NONE = Request("", "create", "")


def folders(state: Path) -> ClusterStore:
    store = ClusterFolders(state)
    store.prepare()
    return store


@pytest.fixture(params=[folders])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ClusterStore:
    make: Callable[[Path], ClusterStore] = request.param
    return make(tmp_path)


def test_a_cluster_is_there_once_made_and_gone_once_archived(store: ClusterStore) -> None:
    with pytest.raises(NotFoundError):
        store.read("demo")
    made = store.create("demo", "A=1\n", Request("r1", "create", "d"))
    assert store.read("demo") == made
    assert (made.text, made.requests[0].id) == ("A=1\n", "r1")
    assert store.tags() == ["demo"]
    with pytest.raises(AlreadyExistsError):
        store.create("demo", "A=2\n", NONE)
    archive = store.archive("demo", Request("r2", "delete", ""))
    assert store.tags() == []
    assert store.archived_by("demo", "r2") == archive
    assert store.archived_by("demo", "r1") == ""
    with pytest.raises(NotFoundError):
        store.archive("demo", NONE)


def test_a_text_is_replaced_only_if_it_is_the_expected_one(store: ClusterStore) -> None:
    store.create("demo", "A=1\n", NONE)
    backup = store.replace("demo", "A=2\n", "A=1\n", Request("r1", "update", "d"))
    with pytest.raises(ConflictError):
        store.replace("demo", "A=3\n", "A=1\n", NONE)
    stored = store.read("demo")
    assert stored.text == "A=2\n"
    assert stored.requests[-1] == Request("r1", "update", "d", backup)


def test_one_of_many_replacements_at_once_wins(store: ClusterStore) -> None:
    store.create("demo", "A=0\n", NONE)
    outcomes: list[str] = []

    def replace(number: int) -> None:
        try:
            outcomes.append(store.replace("demo", f"A={number}\n", "A=0\n", NONE))
        except ConflictError:
            outcomes.append("")

    threads = [threading.Thread(target=replace, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(bool(outcome) for outcome in outcomes) == [False] * 7 + [True]


def test_bytes_that_are_no_utf8_are_kept(tmp_path: Path) -> None:
    store = folders(tmp_path)
    store.create("demo", "A=1\n", NONE)
    file = tmp_path / "managed_clusters_info" / "demo" / "config" / "init_envs"
    file.write_bytes(b"# \xff\xfe\nA=1\n")
    text = store.read("demo").text
    store.replace("demo", text.replace("A=1", "A=2"), text, NONE)
    assert file.read_bytes() == b"# \xff\xfe\nA=2\n"


def test_a_folder_made_by_others_is_a_cluster(tmp_path: Path) -> None:
    store = folders(tmp_path)
    folder = tmp_path / "managed_clusters_info" / "theirs" / "config"
    folder.mkdir(parents=True)
    (folder / "init_envs").write_text("A=1\n")
    (tmp_path / "managed_clusters_info" / "Not_A_Tag").mkdir()
    (tmp_path / "managed_clusters_info" / "empty").mkdir()
    assert store.tags() == ["theirs"]
    assert store.read("theirs").text == "A=1\n"
    store.replace("theirs", "A=2\n", "A=1\n", Request("r", "update", "d"))
    assert store.read("theirs").requests[0].id == "r"


def test_what_a_crash_left_of_a_new_cluster_is_cleared_away(tmp_path: Path) -> None:
    folders(tmp_path)
    leftover = tmp_path / "managed_clusters_info" / ".new-demo-123"
    (leftover / "config").mkdir(parents=True)
    store = folders(tmp_path)
    assert not leftover.exists()
    assert store.tags() == []


WRITER = """
import sys
from pathlib import Path
from services.cluster_lifecycle.adapters.cluster_folders import ClusterFolders
from services.cluster_lifecycle.domain.ports import Request
store = ClusterFolders(Path(sys.argv[1]))
text = store.read("demo").text
print("ready", flush=True)
while True:
    other = text.replace("1", "2") if "1" in text else text.replace("2", "1")
    store.replace("demo", other, text, Request("r", "update", "d"))
    text = other
    print("saved", flush=True)
"""


@pytest.mark.parametrize("saves", [1, 3, 8])
def test_kill_9_while_saving_leaves_a_whole_file(tmp_path: Path, saves: int) -> None:
    store = folders(tmp_path)
    texts = ("1" * 50_000 + "\n", "2" * 50_000 + "\n")
    store.create("demo", texts[0], NONE)
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdout is not None
        for _ in range(saves + 1):
            assert writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
    stored = store.read("demo")
    assert stored.text in texts
    config = tmp_path / "managed_clusters_info" / "demo" / "config"
    backups = list(config.glob("init_envs.backup.*"))
    assert len(backups) >= saves
    assert all(backup.read_text() in texts for backup in backups)
    # The lock died with its holder.
    store.replace("demo", "3\n", stored.text, NONE)
