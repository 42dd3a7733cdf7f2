"""Transfer learning for affect recognition: from raw recordings to a model that can be served."""

import lazy_loader

__version__ = "0.1.0"

# Attached lazily (SPEC 1): `--help` and `doctor` must not wait for TensorFlow.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "callbacks",
        "comparing",
        "datasets",
        "deployment",
        "evaluation",
        "export",
        "faces",
        "features",
        "layers",
        "media",
        "models",
        "pipelines",
        "pruning",
        "records",
        "reporting",
        "results",
        "runs",
        "transfer",
    ],
)
