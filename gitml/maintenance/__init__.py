"""Keep a repository whole: check and repair it (fsck), remove what nothing needs (gc)."""
