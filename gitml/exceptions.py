"""MLflow's name of ``gitml.errors``, so that its scripts find their exception here."""

from gitml.errors import GitmlError as MlflowException

__all__ = ["MlflowException"]
