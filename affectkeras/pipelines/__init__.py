"""From row indices to tf.data batches."""
