"""Keras layers of the published models; keras.ops only, any backend."""
