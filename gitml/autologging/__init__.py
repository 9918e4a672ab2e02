"""Training calls of other libraries, logged without a line of the user's.

One module per library; :func:`autolog` switches them all.
"""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import Unpack

from gitml.autologging.imports import forget, when_imported
from gitml.autologging.options import AutologOptions
from gitml.autologging.safety import safely
from gitml.models.saving import refuse_unknown_options

# A library is worth watching from the module on that its autologging patches.
_WATCHED_MODULE = {"sklearn": "sklearn.base"}


def autolog(**options: Unpack[AutologOptions]) -> None:
    """Log every training call of the libraries gitml knows: at present, scikit-learn.

    A library that is not imported yet is switched when it is.

    Args:
        **options: See :class:`~gitml.autologging.options.AutologOptions`.

    Raises:
        InvalidInput: An option is unknown.
    """
    refuse_unknown_options(options, AutologOptions)
    left_out = set(options.pop("exclude_flavors", None) or ())
    for library in _WATCHED_MODULE.keys() - left_out:
        _switch(library, options)


def _switch(library: str, options: AutologOptions) -> None:
    module = _WATCHED_MODULE[library]
    switch = partial(import_module(f"gitml.autologging.{library}").autolog, **options)
    if options.get("disable"):
        forget(module)
        switch()
        return
    silent = options.get("silent", False)
    when_imported(module, lambda: safely(f"everything of {library}", switch, silent=silent))
