"""Pretrained backbones: the zoo, freezing in stages, cached features."""
