"""Make the data that pages load: columns, tables, the search index, views."""
