"""Where a pod may go: node selectors, required affinity, taints and tolerations.

The rules are the scheduler's (k8s.io/component-helpers/scheduling/corev1): a pod fits a
node whose labels match and whose taints it tolerates.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

KEEPS_AWAY = ("NoSchedule", "NoExecute")
"""Effects of taints that keep new pods from a node."""


class Taint(msgspec.Struct, gc=False):
    """A taint of a node."""

    key: str = ""
    value: str | None = ""
    effect: str = ""

    def __str__(self) -> str:
        """As kubectl writes it."""
        return (
            f"{self.key}={self.value}:{self.effect}" if self.value else f"{self.key}:{self.effect}"
        )


class Toleration(msgspec.Struct, gc=False):
    """A toleration of a pod."""

    key: str = ""
    operator: str = ""
    value: str = ""
    effect: str = ""

    def covers(self, taint: Taint) -> bool:
        """Whether the taint does not keep the pod away."""
        if self.effect and self.effect != taint.effect:
            return False
        if self.key and self.key != taint.key:
            return False
        if self.operator == "Exists":
            return True
        return (
            bool(self.key) and self.operator in ("", "Equal") and self.value == (taint.value or "")
        )


class Requirement(msgspec.Struct, gc=False):
    """An expression about a label or a field."""

    key: str = ""
    operator: str = ""
    values: list[str] | None = None

    def accepts(self, value: str | None) -> bool:
        """Whether a value satisfies it; None is a label that is not there."""
        values = self.values or []
        match self.operator:
            case "In":
                return value is not None and value in values
            case "NotIn":
                return value is None or value not in values
            case "Exists":
                return value is not None
            case "DoesNotExist":
                return value is None
            case "Gt" | "Lt" if value is not None and len(values) == 1:
                try:
                    ours, limit = int(value), int(values[0])
                except ValueError:
                    return False
                return ours > limit if self.operator == "Gt" else ours < limit
        return False


class Term(msgspec.Struct, gc=False):
    """Expressions that must all hold. Without any it matches no node."""

    expressions: list[Requirement] | None = msgspec.field(default=None, name="matchExpressions")
    fields: list[Requirement] | None = msgspec.field(default=None, name="matchFields")

    def matches(self, name: str, labels: dict[str, str]) -> bool:
        """Whether a node is meant. Of the fields there is only metadata.name."""
        if not self.expressions and not self.fields:
            return False
        return all(e.accepts(labels.get(e.key)) for e in self.expressions or ()) and all(
            f.key == "metadata.name" and f.accepts(name) for f in self.fields or ()
        )


class NodeSelector(msgspec.Struct, gc=False):
    """Terms of which one must match."""

    terms: list[Term] | None = msgspec.field(default=None, name="nodeSelectorTerms")


class NodeAffinity(msgspec.Struct, gc=False):
    """affinity.nodeAffinity; what is only preferred keeps no pod away."""

    required: NodeSelector | None = msgspec.field(
        default=None, name="requiredDuringSchedulingIgnoredDuringExecution"
    )


class Affinity(msgspec.Struct, gc=False):
    """affinity, as far as it is about nodes."""

    node: NodeAffinity | None = msgspec.field(default=None, name="nodeAffinity")


class Placement(msgspec.Struct, frozen=True):
    """What a pod asks of its node."""

    node_selector: dict[str, str] | None = None
    tolerations: list[Toleration] | None = None
    affinity: Affinity | None = None

    def allows(self, name: str, labels: dict[str, str] | None, taints: Iterable[Taint]) -> bool:
        """Whether the pod may go to a node, were there room."""
        present = labels or {}
        if any(present.get(key) != value for key, value in (self.node_selector or {}).items()):
            return False
        node_affinity = self.affinity.node if self.affinity else None
        required = node_affinity.required if node_affinity else None
        if required is not None and not any(t.matches(name, present) for t in required.terms or ()):
            return False
        return all(
            any(toleration.covers(taint) for toleration in self.tolerations or ())
            for taint in taints
            if taint.effect in KEEPS_AWAY
        )
