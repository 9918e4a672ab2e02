"""Records of runs, experiments and models on the branch, their journals, index and exchange."""
