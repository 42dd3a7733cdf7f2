"""The readers as tensorflow-datasets builders, for those who shard or load by tfds."""

# Readers of recordings: a config each of `affect_signals`; all others are of `affect_faces`.
RECORDINGS = ("k_emocon", "pamap2", "stress_predict", "wesad", "empatica_e4")
