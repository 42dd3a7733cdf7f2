"""`tfds build affectkeras/datasets/tfds_builders/affect_faces --config NAME --manual_dir DIR`."""
