"""Making runs that share what is equal among them."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable

from services.training_history.domain.model import SYSTEM_TAG_PREFIX, Run, RunStatus

_SHARED_LENGTH = 40
"""Values up to this many characters repeat among runs (models, sizes, flags); longer ones rarely."""

_MAX_KEY_SETS = 20_000
"""Runs of one training script have one set of keys; this bounds the memory of unlike ones."""


class Compactor:
    """Makes runs. One for all runs of a cache, so that equal parts exist once."""

    def __init__(self) -> None:
        self._key_sets: dict[tuple[str, ...], tuple[str, ...]] = {}

    def run(
        self,
        *,
        run_id: str,
        experiment_id: str,
        run_name: str,
        status: RunStatus,
        start_ms: int | None,
        end_ms: int | None,
        user: str,
        artifact_uri: str,
        metrics: Iterable[tuple[str, float]],
        params: Iterable[tuple[str, str]],
        tags: Iterable[tuple[str, str]],
    ) -> Run:
        """A run with its keys in order, whatever the order they came in."""
        metric_pairs = sorted(metrics)
        param_pairs = sorted(params)
        business: list[tuple[str, str]] = []
        system: list[tuple[str, str]] = []
        for pair in sorted(tags):
            (system if pair[0].startswith(SYSTEM_TAG_PREFIX) else business).append(pair)
        return Run(
            run_id=run_id,
            experiment_id=sys.intern(experiment_id),
            run_name=run_name,
            status=status,
            start_ms=start_ms,
            end_ms=end_ms,
            user=sys.intern(user),
            artifact_uri=artifact_uri,
            metric_keys=self._keys(pair[0] for pair in metric_pairs),
            metric_values=tuple(_number(pair[1]) for pair in metric_pairs),
            param_keys=self._keys(pair[0] for pair in param_pairs),
            param_values=_texts(param_pairs),
            tag_keys=self._keys(pair[0] for pair in business),
            tag_values=_texts(business),
            system_tag_keys=self._keys(pair[0] for pair in system),
            system_tag_values=_texts(system),
        )

    def again(self, run: Run) -> Run:
        """An equal run, made of shared parts: for runs read from the persisted cache."""
        return self.run(
            run_id=run.run_id,
            experiment_id=run.experiment_id,
            run_name=run.run_name,
            status=run.status,
            start_ms=run.start_ms,
            end_ms=run.end_ms,
            user=run.user,
            artifact_uri=run.artifact_uri,
            metrics=zip(run.metric_keys, run.metric_values, strict=True),
            params=zip(run.param_keys, run.param_values, strict=True),
            tags=zip(
                run.tag_keys + run.system_tag_keys,
                run.tag_values + run.system_tag_values,
                strict=True,
            ),
        )

    def _keys(self, keys: Iterable[str]) -> tuple[str, ...]:
        wanted = tuple(keys)
        known = self._key_sets.get(wanted)
        if known is None:
            if len(self._key_sets) >= _MAX_KEY_SETS:
                self._key_sets.clear()
            known = self._key_sets[wanted] = tuple(map(sys.intern, wanted))
        return known


def _number(value: float) -> float:
    # One object for all NaN: tuples compare by identity first, so that equal runs stay equal.
    return math.nan if value != value else value


def _texts(pairs: list[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(sys.intern(text) if len(text) <= _SHARED_LENGTH else text for _, text in pairs)
