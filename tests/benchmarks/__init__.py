"""Measurements beside the peer, in one run: `make bench`. Tests never assert on these."""
