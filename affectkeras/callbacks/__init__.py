"""Keras callbacks: removing noisy rows, pruning maps, resuming; any backend."""
