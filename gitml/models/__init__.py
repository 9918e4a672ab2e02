"""Model directories in MLflow's format: description, signature, saving and loading.

Knows nothing of git or runs. Importing it loads no numerical library.
"""

from gitml.models.mlmodel import Model, ModelInfo
from gitml.models.signature import ModelSignature, infer_signature

__all__ = ["Model", "ModelInfo", "ModelSignature", "infer_signature"]
