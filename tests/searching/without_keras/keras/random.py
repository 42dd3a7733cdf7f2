"""Stands in for a part of Keras."""
