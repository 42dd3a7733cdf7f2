"""The readers as tensorflow-datasets builders, for those who shard or load by tfds."""
