"""Splits, leakage, metrics, intervals: NumPy, pandas, SciPy and scikit-learn only."""
