"""Bytes to values and back: every file of the branch, as FORMAT.md describes it. Pure."""
