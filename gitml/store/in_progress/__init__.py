"""Runs in progress: journals, batches, the queue of runs that end, what dead processes left."""
