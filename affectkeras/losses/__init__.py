"""Losses that Keras does not bring."""
