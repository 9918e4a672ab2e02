"""Search the records of a branch through an SQLite projection. The only importer of sqlite3."""
