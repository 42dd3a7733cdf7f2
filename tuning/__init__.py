"""One keras-tuner search each, over the Config of a recipe."""
