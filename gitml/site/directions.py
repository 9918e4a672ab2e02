"""Which way a metric is better, as far as its name tells."""

from __future__ import annotations

import re
from enum import StrEnum


class Better(StrEnum):
    """The direction in which a metric improves."""

    LOWER = "lower"
    HIGHER = "higher"
    UNKNOWN = ""


_LOWER = frozenset(
    """loss error err errors rmse mse mae mape smape rmsle msle medae rmspe mase wape logloss nll
    perplexity ppl wer cer fid kid brier deviance divergence kl regret eer bpb bpc bits_per_byte
    latency duration seconds secs sec time ms hamming""".split()
)
_HIGHER = frozenset(
    """accuracy acc precision recall f1 fbeta auc auroc auprc roc ap map ndcg mrr r2 score bleu
    rouge meteor chrf iou miou dice psnr ssim kappa mcc sensitivity specificity reward return
    throughput spearman pearson correlation gini hits lift""".split()
)


def better(metric: str) -> Better:
    """Tell which way a metric is better by the words of its name.

    Args:
        metric: Such as ``val_rmse`` or ``training/accuracy_score``.

    Returns:
        ``UNKNOWN`` where no word is known, or words contradict one another. A loss, an error or a
        time wins over what it is of (``log_loss_score``, ``r2_error``), for it names the quantity.
    """
    words = set(re.findall(r"[a-z]+\d?", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", metric).lower()))
    if words & _LOWER:
        return Better.LOWER
    return Better.HIGHER if words & _HIGHER else Better.UNKNOWN
