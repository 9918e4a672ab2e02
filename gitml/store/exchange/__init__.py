"""Exchange records and registry tags with another clone: fetch, merge trees, push."""
