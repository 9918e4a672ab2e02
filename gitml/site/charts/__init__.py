"""Specify and draw the charts of the dashboard; find change points of metrics."""
