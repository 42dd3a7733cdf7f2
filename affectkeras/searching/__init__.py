"""Searches for settings by keras-tuner, made to hold against death; they know no recipe."""
