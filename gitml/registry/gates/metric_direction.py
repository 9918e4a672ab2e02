"""Derive which direction of a metric is the better one. All pure.

A declaration decides (``better:`` in ``registry/<Model>.yaml``), else the gates (what must be below
a limit is better low), else the metric's name. If they contradict themselves, or none of them
decides, the direction is unknown: no arrow is better than a wrong one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gitml.query.gate_nodes import GateField, Node, Operation
from gitml.query.gates import Gate

_LOWER = frozenset(
    "brier cer crps deviance ece eer err error fnr fpr latency logloss loss mae mape medae merror "
    "mlogloss mse msle nll perplexity ppl rmse rmsle smape wer".split()
)
_HIGHER = frozenset(
    "acc accuracy ap auc aucpr auroc bleu dice f1 fbeta iou kappa mcc mrr ndcg precision psnr r2 "
    "recall rouge sensitivity specificity ssim tpr".split()
)
_WEAK = "score"  # of what, the other words of the name tell


class Direction(StrEnum):
    """A direction in which values of a metric are better."""

    LOWER = "lower"
    HIGHER = "higher"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricDirection:
    """The better direction of a metric.

    Attributes:
        better: The direction.
        source: What says so: ``declared``, ``gate`` or ``name``.
    """

    better: Direction
    source: str


def directions(
    metrics: Iterable[str], declared: Mapping[str, Direction], gates: Sequence[Gate]
) -> dict[str, MetricDirection]:
    """Return the better direction of each metric for which it is known."""
    by_gates = _by_gates(gates)
    result = {}
    for metric in metrics:
        candidates = (
            ("declared", declared.get(metric)),
            ("gate", by_gates.get(metric)),
            ("name", by_name(metric)),
        )
        for source, better in candidates:
            if better:
                result[metric] = MetricDirection(better=better, source=source)
                break
    return result


def by_name(metric: str) -> Direction | None:
    """Derive it from a well-known name, such as ``val_rmse`` or scikit-learn's ``neg_log_loss``."""
    words = set(re.findall(r"[a-z]+[0-9]*", metric.lower()))
    low, high = bool(words & _LOWER), bool(words & _HIGHER)
    if low and high:
        return None
    if low:
        return Direction.HIGHER if "neg" in words else Direction.LOWER
    return Direction.HIGHER if high or _WEAK in words else None


def _by_gates(gates: Sequence[Gate]) -> dict[str, Direction]:
    directions: dict[str, set[Direction]] = defaultdict(set)
    for gate in gates:
        for metric, better in _of_node(gate.node):
            directions[metric].add(better)
    return {metric: min(values) for metric, values in directions.items() if len(values) == 1}


def _of_node(node: Node) -> Iterator[tuple[str, Direction]]:
    """Yield what an expression needs low or high: the candidate's metrics alone on a side."""
    if not isinstance(node, Operation):
        return
    if node.operator in ("and", "or"):
        for item in node.items:
            yield from _of_node(item)
    elif node.operator[0] in "<>" and len(node.items) == 2:
        small, great = node.items if node.operator[0] == "<" else node.items[::-1]
        for side, better in ((small, Direction.LOWER), (great, Direction.HIGHER)):
            if isinstance(side, GateField) and side.kind == "metrics" and not side.stage:
                yield side.key, better
