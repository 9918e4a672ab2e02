"""The model registry: GTO tags on version commits, with MLflow's names."""
