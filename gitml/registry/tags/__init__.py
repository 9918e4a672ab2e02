"""Registry tags: their grammar, the state they add up to, the plan of a change."""
