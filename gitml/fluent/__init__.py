"""MLflow's module functions: the active run, logging, models and the registry."""
