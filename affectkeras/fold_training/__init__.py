"""Many small networks trained at once: the folds of a cross-validation in one program.

The one place beside `model.fit` that trains. `train_folds` takes a Keras model, the rows of every
fold and a plan; `fold_layers` reads the model layer by layer, `program` trains all folds.
"""

from affectkeras.fold_training.jobs import FoldJob, FoldOutcome, FoldPlan
from affectkeras.fold_training.training import set_weights, train_folds

__all__ = ["FoldJob", "FoldOutcome", "FoldPlan", "set_weights", "train_folds"]
