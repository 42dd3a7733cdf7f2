"""Folds trained by `model.fit`, each in a process of its own: for layers of any kind."""

import importlib
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from tqdm import tqdm

from affectkeras.fold_training.jobs import (
    FoldJob,
    FoldOutcome,
    FoldPlan,
    class_weights,
    sampler_of,
    steps_of,
)
from affectkeras.fold_training.network import normalizations
from affectkeras.media.parallel import count_processors
from affectkeras.quiet import start_tensorflow


def fit_in_processes(
    model: keras.Model,
    inputs: np.ndarray,
    labels: np.ndarray,
    jobs: Sequence[FoldJob],
    plan: FoldPlan,
    together: int | None,
    on_epoch: Callable[[int, int], None] | None,
) -> list[FoldOutcome]:
    """Train every fold by `model.fit`; arguments and outcomes as those of `train_folds`."""
    processors = count_processors()
    workers = min(together or processors, len(jobs))
    # Where the layers' classes are, so that a worker can read the model.
    modules = {type(layer).__module__ for layer in model._flatten_layers(include_self=False)}
    modules = sorted(name for name in modules if not name.startswith("keras."))
    outcomes: dict[int, FoldOutcome] = {}
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder, "model.keras"))
        np.save(Path(folder, "inputs.npy"), inputs)
        np.save(Path(folder, "labels.npy"), labels)
        context = multiprocessing.get_context("spawn")
        threads = max(1, processors // workers)
        with (
            ProcessPoolExecutor(workers, context, _start, (threads, modules)) as executor,
            tqdm(total=len(jobs), desc="folds", unit="fold", disable=None) as bar,
        ):
            waiting = {
                executor.submit(_fit_in_worker, folder, job, plan): fold
                for fold, job in enumerate(jobs)
            }
            for future in as_completed(waiting):
                outcomes[waiting[future]] = future.result()
                bar.update()
                if on_epoch is not None:
                    on_epoch(len(outcomes) * plan.epochs, len(jobs) * plan.epochs)
    return [outcomes[fold] for fold in range(len(jobs))]


def fit_fold(
    model: keras.Model, inputs: np.ndarray, labels: np.ndarray, job: FoldJob, plan: FoldPlan
) -> FoldOutcome:
    """Train the model itself on a job's rows by `model.fit`."""
    began = time.perf_counter()
    train, predict = (np.asarray(one, np.int64) for one in (job.train, job.predict))
    for layer in normalizations(model):
        layer.adapt(np.asarray(inputs[train]))
    rate = plan.learning_rate
    if plan.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, steps_of(job, plan) * plan.epochs)
    keras.utils.set_random_seed(plan.seed % 2**32)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    classes = model.output_shape[-1]
    weights = class_weights(labels[train], classes, plan.balanced)
    balance = {name: float(weight) for name, weight in enumerate(weights)}
    sampler, history = sampler_of(job, plan), []
    for epoch in range(plan.epochs):
        order = sampler.order(epoch)
        logs = model.fit(
            inputs[order],
            labels[order],
            batch_size=plan.batch_size,
            shuffle=False,
            class_weight=balance,
            verbose=0,
        ).history
        history.append({"epoch": epoch} | {name: logs[name][0] for name in ("loss", "accuracy")})
    found = np.zeros((0, classes), np.float32)
    if len(predict):
        logits = model.predict(inputs[predict], batch_size=plan.batch_size, verbose=0)
        found = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
    frame, seconds = pd.DataFrame(history), time.perf_counter() - began
    return FoldOutcome(job.name, model.get_weights(), frame, found, seconds, "processes")


def _start(threads: int, modules: Sequence[str]) -> None:
    start_tensorflow()
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    for name in modules:
        importlib.import_module(name)


def _fit_in_worker(folder: str, job: FoldJob, plan: FoldPlan) -> FoldOutcome:
    model = keras.models.load_model(Path(folder, "model.keras"))
    inputs = np.load(Path(folder, "inputs.npy"), mmap_mode="r")
    return fit_fold(model, inputs, np.load(Path(folder, "labels.npy")), job, plan)
