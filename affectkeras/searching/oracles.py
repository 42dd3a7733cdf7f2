"""keras-tuner's four oracles as a search uses them."""

import keras_tuner
import numpy as np
import scipy.optimize
from keras_tuner import oracles
from keras_tuner.src.engine.trial import TrialStatus
from threadpoolctl import threadpool_limits

from affectkeras.searching.resilience import ResilientOracle

PLACES, REFINED, ITERATIONS, GPR_RESTARTS = 3000, 3, 15, 4  # of the Gaussian process
ALWAYS = 1000  # rounds of Hyperband: the number of trials ends it before


class RandomOracle(ResilientOracle, oracles.RandomSearchOracle):
    """Values drawn at random."""


class QuickBayesianOracle(oracles.BayesianOptimizationOracle):
    """keras-tuner's, asking the same of its Gaussian process with fewer calls.

    keras-tuner looks for the least upper confidence bound from 50 places, one point and its
    numerical gradient after the other: seconds of processor time for each trial, more than a head
    takes to train. Here all places are asked at once, and the best few are refined.
    """

    def _make_gpr(self):
        found = super()._make_gpr()
        return found.set_params(n_restarts_optimizer=GPR_RESTARTS)

    def populate_space(self, trial_id: str) -> dict:
        """Return the values of a new trial."""
        done = sum(trial.status == TrialStatus.COMPLETED for trial in self.trials.values())
        if done < self.num_initial_points:
            return self._random_populate_space()
        with threadpool_limits(1):  # the matrices are small: threads would wait for each other
            x, y = self._vectorize_trials()
            self.gpr.fit(np.nan_to_num(x, posinf=0, neginf=0), np.nan_to_num(y, posinf=0, neginf=0))
            values = self._vector_to_values(self._least_bound())
        return {"status": TrialStatus.RUNNING, "values": values}

    def _least_bound(self) -> np.ndarray:
        bounds = self._get_hp_bounds()

        def bound(points):
            mean, deviation = self.gpr.predict(np.atleast_2d(points), return_std=True)
            return mean - self.beta * deviation

        places = self._random_state.uniform(*bounds.T, size=(PLACES, len(bounds)))
        best = places[np.argsort(bound(places), kind="stable")[:REFINED]]
        refined = [
            scipy.optimize.minimize(
                lambda point: float(bound(point)[0]), start, bounds=bounds, method="L-BFGS-B",
                options={"maxiter": ITERATIONS},
            )
            for start in best
        ]  # fmt: skip
        return min(refined, key=lambda result: result.fun).x


class BayesianOracle(ResilientOracle, QuickBayesianOracle):
    """Values where a Gaussian process of what was found expects, or does not know, the best."""

    repeats = True


class HyperbandOracle(ResilientOracle, oracles.HyperbandOracle):
    """Many short trainings, of which the better ones are trained again for longer."""

    defaults_first = False


class GridOracle(ResilientOracle, oracles.GridSearchOracle):
    """All combinations, one after another."""

    defaults_first = False  # its own first trial has them

    def get_state(self) -> dict:
        """Return the state with the place in the grid, which keras-tuner forgets."""
        linked, order = self._ordered_ids, []
        place = linked._next_index[None]
        while place is not None:
            order.append(linked._memory[place])
            place = linked._next_index[place]
        return {**super().get_state(), "ordered": order, "populate_next": self._populate_next}

    def set_state(self, state: dict) -> None:
        """Take over a state of `get_state`."""
        super().set_state(state)
        previous = None
        for name in state["ordered"]:
            self._ordered_ids.insert(name, previous)
            previous = name
        self._populate_next = state["populate_next"]

    def _after_end(self, trial_id: str) -> None:
        self._populate_next.append(trial_id)


def build_oracle(settings, objective: keras_tuner.Objective, space, *, epochs=None, **options):
    """Return the oracle that the settings name, with the state of its folder.

    Args:
        settings: `SearchSettings`.
        objective: keras-tuner's.
        space: `HyperParameters` that holds the whole space.
        epochs: of the longest training; `hyperband` needs it.
        options: of `ResilientOracle`.
    """
    common = {
        "objective": objective,
        "hyperparameters": space,
        "seed": settings.search_seed + 1,  # 0 means at random
        **options,
    }
    if settings.tuner == "hyperband":
        oracle = HyperbandOracle(max_epochs=epochs, hyperband_iterations=ALWAYS, **common)
        oracle.max_trials = settings.trials
    elif settings.tuner == "bayesian":
        first = min(max(5, settings.trials // 4), 3 * max(1, len(space.space)))
        oracle = BayesianOracle(max_trials=settings.trials, num_initial_points=first, **common)
    elif settings.tuner == "grid":
        oracle = GridOracle(max_trials=settings.trials, **common)
    else:
        oracle = RandomOracle(max_trials=settings.trials, **common)
    oracle.reload()
    return oracle
