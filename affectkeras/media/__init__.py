"""Faces and other media as pixels: decoding, checking, hashing."""
