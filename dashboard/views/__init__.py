"""A file for each page, named as its address."""
