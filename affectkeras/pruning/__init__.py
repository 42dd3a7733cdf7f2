"""Structural pruning: physically smaller models from functional Keras models, with a proof."""
