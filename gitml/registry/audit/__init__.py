"""Check the history of registry tags: the chain, the signatures, who may sign."""
