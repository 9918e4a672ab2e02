"""A repository to try gitml out: scripts, runs, a registered model and its dashboard."""
