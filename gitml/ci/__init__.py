"""What runs in CI: workflow files, the pull request that a job is for, packed releases."""
