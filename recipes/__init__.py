"""One published experiment each: `python -m recipes.NAME --help`."""
