"""Functions that return a keras.Model; any backend."""
