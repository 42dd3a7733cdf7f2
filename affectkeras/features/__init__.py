"""Features of pictures that are computed, not learnt: for classifiers without a network."""
