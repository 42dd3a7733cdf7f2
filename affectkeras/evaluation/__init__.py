"""Splits, leakage checks, metrics and intervals: pure functions on arrays and frames."""
