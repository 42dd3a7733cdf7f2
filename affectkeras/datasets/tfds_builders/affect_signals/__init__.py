"""Every reader of recordings as a tensorflow-datasets builder.

With the extra `tfds` (the `tfds` command imports Apache Beam and mlcroissant at its start):
    tfds build affectkeras/datasets/tfds_builders/affect_signals --config wesad --manual_dir DIR
Without it:
    python -m affectkeras.datasets.tfds_builders.affect_signals --config wesad --manual-dir DIR
"""
