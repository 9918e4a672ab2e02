"""Share runs and models: push, pull and the remotes."""
