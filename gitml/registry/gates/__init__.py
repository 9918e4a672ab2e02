"""What a version must meet to enter a stage: declarations, approvals, metric directions."""
