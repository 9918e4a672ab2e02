"""Charts of the dashboard: Vega specifications, pictures without scripts, change points."""
