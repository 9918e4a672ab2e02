"""Kills a writer at random steps and looks at what is left: ``python -m tests.crash --help``."""
