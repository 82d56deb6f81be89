"""From which time on lines are wanted, whatever the request says."""

from __future__ import annotations

import pytest

from services.common.paging import fingerprint
from services.k8s_resource.domain.logs.logs import TailQuery, oldest_wanted
from services.k8s_resource.domain.logs.position import TailPosition, read_token, write_token
from services.k8s_resource.domain.logs.targets import TargetKind

QUERY = fingerprint("a query")
YEAR = 366 * 86_400 * 1_000_000_000


@pytest.mark.parametrize(
    "wanted",
    [{"since": 10_000 * YEAR}, {"since_time": -1970 * YEAR}, {"since_time": 8_000 * YEAR}],
    ids=["since ever", "the first year", "the last year"],
)
def test_the_ends_of_time_can_be_resumed_from(wanted: dict[str, int]) -> None:
    query = TailQuery("", "default", TargetKind.POD, "web", **wanted)  # type: ignore[arg-type]
    position = TailPosition(oldest_wanted(query), [])
    assert read_token(write_token(position, QUERY), QUERY).since == position.since
