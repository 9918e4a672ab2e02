"""The ``MLmodel`` file: what a model directory holds and how to load it.

The format is MLflow's: YAML with sorted keys, schemas as JSON text. Fields that this version
does not know are kept when a file is read and written again.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gitml.errors import InvalidInput, NotFound
from gitml.formats import plain_yaml
from gitml.models.schema import ParamSchema, Schema
from gitml.models.signature import ModelSignature
from gitml.version import __version__

FILE_NAME = "MLmodel"
FORMAT_VERSION = "3.18.0"
"""The MLflow release whose format gitml writes. MLflow itself loads any value."""

# MLflow writes them beside every signature; gitml infers none from type hints.
_SIGNATURE_FLAGS = {"is_signature_from_type_hint": False, "type_hint_from_example": False}
_OMITTED_WHEN_NONE = ("artifact_path", "metadata", "run_id", "saved_input_example_info")


def _now() -> str:
    return str(datetime.now(UTC).replace(tzinfo=None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """The content of an MLmodel file.

    Attributes:
        artifact_path: Folder below the run's artifacts, or None outside a run.
        flavors: Per flavor, what its loader needs to know.
        signature: Schemas of input, output and parameters.
        saved_input_example_info: Where the input example is and how to read it.
        run_id: The run that logged the model, 32 hex digits.
        model_uuid: Random identifier, 32 hex digits.
        model_id: MLflow's identifier of a model outside runs; gitml writes null.
        model_size_bytes: Bytes of the saved model and its example.
        utc_time_created: UTC time as ``YYYY-MM-DD HH:MM:SS.ffffff``.
        mlflow_version: The MLflow release whose format the file follows.
        metadata: Whatever the user wanted to keep with the model.
        prompts: MLflow's list of prompts; kept, not used.
        extra: Fields of the file that gitml does not know.
    """

    artifact_path: str | None = None
    flavors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    signature: ModelSignature | None = None
    saved_input_example_info: Mapping[str, Any] | None = None
    run_id: str | None = None
    model_uuid: str | None = field(default_factory=lambda: uuid.uuid4().hex)
    model_id: str | None = None
    model_size_bytes: int | None = None
    utc_time_created: str = field(default_factory=_now)
    mlflow_version: str | None = FORMAT_VERSION
    metadata: Mapping[str, Any] | None = None
    prompts: Any = None
    extra: Mapping[str, Any] = field(default_factory=lambda: {"gitml_version": __version__})

    def to_dict(self) -> dict[str, Any]:
        """Return the file's content as plain values."""
        form = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "extra"}
        form["flavors"] = {name: dict(config) for name, config in self.flavors.items()}
        if self.signature is None:
            del form["signature"]
        else:
            form["signature"] = self.signature.to_dict()
            form |= _SIGNATURE_FLAGS
        form = {k: v for k, v in form.items() if v is not None or k not in _OMITTED_WHEN_NONE}
        return {**form, **self.extra}

    def to_yaml(self) -> str:
        """Return the file's text.

        Raises:
            InvalidInput: ``metadata`` or a flavor holds a value that YAML cannot carry.
        """
        try:
            return plain_yaml.dump(self.to_dict(), sort_keys=True, width=80)
        except plain_yaml.YamlFault as error:
            raise InvalidInput(
                f"The model's description cannot be written as YAML: {error}.",
                hint="Use text, numbers, lists and dictionaries in metadata.",
            ) from error

    def save(self, path: str | Path) -> None:
        """Write the file to ``path``."""
        Path(path).write_text(self.to_yaml(), encoding="utf-8")

    @classmethod
    def from_dict(cls, form: Mapping[str, Any]) -> Model:
        """Read the file's content from plain values.

        Raises:
            InvalidInput: ``flavors`` or ``signature`` is malformed.
        """
        flavors = form.get("flavors") or {}
        if not _is_table_of_tables(flavors):
            raise InvalidInput("The MLmodel file's 'flavors' must be a mapping of mappings.")
        names = {f.name for f in fields(cls)} - {"extra"}
        own = {k: v for k, v in form.items() if k in names}
        values = {"model_uuid": None, "mlflow_version": None, **own, "flavors": flavors}
        values["signature"] = _signature(form.get("signature"))
        values["utc_time_created"] = str(form.get("utc_time_created", ""))
        unknown = {k: v for k, v in form.items() if k not in names}
        plain = [k for k, v in _SIGNATURE_FLAGS.items() if unknown.get(k) is v]
        return cls(**values, extra={k: v for k, v in unknown.items() if k not in plain})

    @classmethod
    def load(cls, path: str | Path) -> Model:
        """Read an MLmodel file; nothing of the model itself is loaded and no code runs.

        Args:
            path: The file, or the folder that holds it.

        Raises:
            NotFound: There is no such file.
            InvalidInput: It is not a description of a model.
        """
        file = Path(path) if Path(path).name == FILE_NAME else Path(path) / FILE_NAME
        try:
            with file.open("rb") as stream:
                data = stream.read(4 * plain_yaml.MODEL.characters + 1)
            form = plain_yaml.load(data, plain_yaml.MODEL)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFound(
                f"No model at {path}.", hint=f"A model folder holds a file {FILE_NAME}."
            ) from error
        except plain_yaml.YamlFault as error:
            raise InvalidInput(f"{file} is not valid YAML: line {error.line}: {error}.") from error
        if not isinstance(form, Mapping):
            raise InvalidInput(f"{file} does not describe a model.")
        return cls.from_dict(form)

    def flavor(self, name: str) -> Mapping[str, Any]:
        """Return one flavor's settings.

        Raises:
            InvalidInput: The model was saved without this flavor.
        """
        if name not in self.flavors:
            saved = ", ".join(sorted(self.flavors)) or "none"
            raise InvalidInput(f"The model has no flavor {name!r}.", hint=f"It has: {saved}.")
        return self.flavors[name]

    def get_input_schema(self) -> Schema | None:
        """Return the schema of the input, None where the model was saved without."""
        return self.signature.inputs if self.signature else None

    def get_output_schema(self) -> Schema | None:
        """Return the schema of the predictions, None where the model was saved without."""
        return self.signature.outputs if self.signature else None

    def get_params_schema(self) -> ParamSchema | None:
        """Return the schema of the parameters, None where the model takes none."""
        return self.signature.params if self.signature else None


def _is_table_of_tables(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(v, Mapping) for v in value.values())


def _signature(form: Any) -> ModelSignature | None:
    if not form:
        return None
    if not isinstance(form, Mapping):
        raise InvalidInput("The MLmodel file's 'signature' must be a mapping.")
    if not any(form.get(part) for part in ("inputs", "outputs", "params")):
        return None
    return ModelSignature.from_dict(form)


def file_inside(folder: Path, name: Any) -> Path:
    """Return the path of a file that an MLmodel file names, which must lie in its folder.

    Raises:
        InvalidInput: The name is missing or leads out of the folder.
        NotFound: The file is missing.
    """
    if not isinstance(name, str) or not name:
        raise InvalidInput(f"The {FILE_NAME} file of {folder} does not name the model's file.")
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise InvalidInput(f"The {FILE_NAME} file of {folder} names {name!r}, outside its folder.")
    if not path.exists():
        raise NotFound(f"The model folder {folder} lacks its file {name!r}.")
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """A model as it was logged.

    Attributes:
        model_uri: ``runs:/<run_id>/<artifact_path>``.
        run_id: The run that logged it.
        artifact_path: Folder below the run's artifacts.
        registered_model_version: Version it was registered as, or None.
        model_uuid: Random identifier, 32 hex digits.
        flavors: Per flavor, what its loader needs to know.
        signature: Schemas of input, output and parameters.
        saved_input_example_info: Where the input example is and how to read it.
        utc_time_created: UTC time as ``YYYY-MM-DD HH:MM:SS.ffffff``.
        mlflow_version: The MLflow release whose format the model follows.
        metadata: Whatever the user kept with the model.
    """

    model_uri: str
    run_id: str
    artifact_path: str
    registered_model_version: int | None = None
    model_uuid: str | None = None
    flavors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    signature: ModelSignature | None = None
    saved_input_example_info: Mapping[str, Any] | None = None
    utc_time_created: str = ""
    mlflow_version: str | None = None
    metadata: Mapping[str, Any] | None = None

    @classmethod
    def of(
        cls, model: Model, *, run_id: str, artifact_path: str, registered_version: int | None = None
    ) -> ModelInfo:
        """Return what a run says of a model it logged."""
        return cls(
            model_uri=f"runs:/{run_id}/{artifact_path}",
            run_id=run_id,
            artifact_path=artifact_path,
            registered_model_version=registered_version,
            model_uuid=model.model_uuid,
            flavors=model.flavors,
            signature=model.signature,
            saved_input_example_info=model.saved_input_example_info,
            utc_time_created=model.utc_time_created,
            mlflow_version=model.mlflow_version,
            metadata=model.metadata,
        )
