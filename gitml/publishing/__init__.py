"""Publish a repository as a site: its content, its warnings, the branch that it is put on."""
