"""The tracking API: one repository opened for logging, MLflow's client and its fluent functions."""
