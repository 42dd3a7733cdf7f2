"""The error of a plan that cannot be carried out, or of a smaller model that is not the same."""


class PruningError(ValueError):
    """A model or plan that pruning refuses, naming the layer, or a proof that failed."""
