"""Keras callbacks: removing noisy rows, resuming; any backend."""
