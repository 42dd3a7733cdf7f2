"""Stands in for Keras where keras-tuner is to start in a second and nothing is trained.

Put the folder above on PYTHONPATH. keras-tuner only names classes of Keras while it is imported.
"""


class _AnyClass(type):
    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return cls


class _Anything(metaclass=_AnyClass):
    def __init__(self, *_, **__):
        pass

    def __call__(self, given):
        return given  # as decorators do


class saving:
    """What keras-tuner writes its hyperparameters with."""

    classes = {}

    @staticmethod
    def register_keras_serializable(package="", name=None):
        def register(given):
            saving.classes[given.__name__] = given
            return given

        return register

    @staticmethod
    def serialize_keras_object(given):
        return {"class_name": type(given).__name__, "config": given.get_config()}

    @staticmethod
    def deserialize_keras_object(said, custom_objects=None, module_objects=None):
        classes = {**saving.classes, **(module_objects or {})}
        return classes[said["class_name"]].from_config(said["config"])


NAMES = (
    "activations",
    "applications",
    "backend",
    "callbacks",
    "config",
    "datasets",
    "initializers",
)
NAMES += ("layers", "losses", "metrics", "models", "ops", "optimizers")
NAMES += ("Input", "Model", "Sequential", "initializers", "regularizers")
utils = saving
globals().update(dict.fromkeys(NAMES, _Anything))
__all__ = [*NAMES, "saving", "utils"]


def version():
    return "3.0"
