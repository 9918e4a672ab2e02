"""The error tree: every failure a user can meet, with what to do next.

::

    GitmlError                      exit 1   (``gitml.MlflowException`` is this class)
    ├── InvalidInput                exit 2   an invalid value
    │   ├── NoRepository            exit 2   not in a git repository
    │   └── TooLarge                exit 2   no room for a value, whatever it is
    ├── NotFound                    exit 3   no such run, experiment, model, version, artifact
    ├── AlreadyExists               exit 1   the name exists already
    ├── Conflict                    exit 1   a ref changed concurrently, or two histories conflict
    ├── StoreError                  exit 1   git failed, or a record cannot be read
    │   ├── PushRejected            exit 1   a rule of the git remote refuses a ref
    │   └── SchemaTooNew            exit 1   written by a newer gitml
    ├── ArtifactError               exit 1   artifact bytes missing or corrupt
    │   └── RemoteUnavailable       exit 1   the DVC remote does not answer
    │       └── UntrustedRemote     exit 1   nobody accepted its address on this machine
    ├── MissingDependency           exit 1   an optional library is not installed
    ├── SignatureError              exit 1   a registry tag is not signed by someone allowed
    └── GateFailed                  exit 4   a promotion's criteria are not met
"""


class GitmlError(Exception):
    """Root of everything gitml raises on purpose.

    Args:
        message: What happened and with which value, in one sentence.
        hint: What to type or change next.

    Attributes:
        error_code: The matching code of MLflow's REST protocol.
        exit_code: What the command line exits with.
    """

    error_code = "INTERNAL_ERROR"
    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        self.message = message
        self.hint = hint
        super().__init__(f"{message} {hint}" if hint else message)


class InvalidInput(GitmlError):
    """A value is not valid; nothing was written."""

    error_code = "INVALID_PARAMETER_VALUE"
    exit_code = 2


class NoRepository(InvalidInput):
    """The given folder is not in a git repository."""


class TooLarge(InvalidInput):
    """A limit of what one record, history or journal holds is reached; nothing was written."""


class NotFound(GitmlError):
    """A run, experiment, model, version, stage, alias or artifact does not exist."""

    error_code = "RESOURCE_DOES_NOT_EXIST"
    exit_code = 3


class AlreadyExists(GitmlError):
    """The name exists already."""

    error_code = "RESOURCE_ALREADY_EXISTS"


class Conflict(GitmlError):
    """A ref changed while it was updated, or two histories cannot be joined."""

    error_code = "RESOURCE_CONFLICT"


class StoreError(GitmlError):
    """git rejected an operation, or a record on the branch cannot be read."""


class PushRejected(StoreError):
    """A rule of the git remote refuses a ref: a hook, branch protection, a ruleset for tags.

    Args:
        message: Which ref, by which rule, in whose words.
        ref: Full name of the ref.
        advice: Which setting changes the ref, and how the rule can be met.
    """

    error_code = "PERMISSION_DENIED"

    def __init__(self, message: str, *, ref: str, advice: str = "") -> None:
        self.ref = ref
        hint = "Nothing is lost, everything is safe in this clone; repeat the command when it may."
        super().__init__(message, hint=f"{advice} {hint}".lstrip())

    def advised(self, advice: str) -> "PushRejected":
        """Return the same error with advice."""
        return PushRejected(self.message, ref=self.ref, advice=advice)


class SchemaTooNew(StoreError):
    """A record or index was written by a newer gitml."""

    def __init__(
        self, message: str, *, hint: str | None = "Upgrade with `pip install --upgrade gitml`."
    ) -> None:
        super().__init__(message, hint=hint)


class ArtifactError(GitmlError):
    """Artifact bytes are missing or do not match their hash."""

    error_code = "DATA_LOSS"


class RemoteUnavailable(ArtifactError):
    """The DVC remote does not answer or denies access."""

    error_code = "TEMPORARILY_UNAVAILABLE"


class UntrustedRemote(RemoteUnavailable):
    """The branch names an address that nobody accepted on this machine; nothing was sent there."""

    error_code = "PERMISSION_DENIED"


class MissingDependency(GitmlError):
    """An optional library is needed for this and is not installed."""


class SignatureError(GitmlError):
    """A registry tag cannot be signed, or is not signed by someone who may."""

    error_code = "PERMISSION_DENIED"


class GateFailed(GitmlError):
    """A promotion does not meet its declared criteria."""

    exit_code = 4


MlflowException = GitmlError
"""MLflow's name of the root, so that ``except mlflow.MlflowException`` still works."""
