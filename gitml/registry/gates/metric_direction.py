"""Hides how it is known which direction of a metric is the better one. All pure.

People say it (``better:`` in ``registry/<Model>.yaml``), else the gates do (what must be below a
limit had better be low), else the metric's name does. Where they contradict themselves, or nothing
tells, it is unknown: no arrow is better than a wrong one.
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
_WEAK = "score"  # of what, the other words tell


class Better(StrEnum):
    """Which direction is better."""

    LOWER = "lower"
    HIGHER = "higher"


@dataclass(frozen=True, slots=True, kw_only=True)
class Direction:
    """Which direction of a metric is better, and how that is known.

    Attributes:
        better: The direction.
        source: ``declared``, ``gate`` or ``name``.
    """

    better: Better
    source: str


def directions(
    metrics: Iterable[str], declared: Mapping[str, Better], gates: Sequence[Gate]
) -> dict[str, Direction]:
    """Tell the better direction of each metric where it is known."""
    by_gates = _by_gates(gates)
    found = {}
    for metric in metrics:
        told = (
            ("declared", declared.get(metric)),
            ("gate", by_gates.get(metric)),
            ("name", by_name(metric)),
        )
        known = next(((source, better) for source, better in told if better), None)
        if known:
            found[metric] = Direction(better=known[1], source=known[0])
    return found


def by_name(metric: str) -> Better | None:
    """Tell it from a well-known name, such as ``val_rmse`` or scikit-learn's ``neg_log_loss``."""
    words = set(re.findall(r"[a-z]+[0-9]*", metric.lower()))
    low, high = bool(words & _LOWER), bool(words & _HIGHER)
    if low and high:
        return None
    if low:
        return Better.HIGHER if "neg" in words else Better.LOWER
    return Better.HIGHER if high or _WEAK in words else None


def _by_gates(gates: Sequence[Gate]) -> dict[str, Better]:
    said: dict[str, set[Better]] = defaultdict(set)
    for gate in gates:
        for metric, better in _said(gate.node):
            said[metric].add(better)
    return {metric: min(many) for metric, many in said.items() if len(many) == 1}


def _said(node: Node) -> Iterator[tuple[str, Better]]:
    """What an expression wants low or high: metrics of the candidate that stand alone on a side."""
    if not isinstance(node, Operation):
        return
    if node.operator in ("and", "or"):
        for item in node.items:
            yield from _said(item)
    elif node.operator[0] in "<>" and len(node.items) == 2:
        small, great = node.items if node.operator[0] == "<" else node.items[::-1]
        for side, better in ((small, Better.LOWER), (great, Better.HIGHER)):
            if isinstance(side, GateField) and side.kind == "metrics" and not side.stage:
                yield side.key, better
