"""What makes keras-tuner's oracles hold against the death of any process.

keras-tuner writes its state in several files, not atomically, and saves a finished trial before it
takes it from the running ones: killed in between, it would run that trial again. Here every change
is one file, written whole; a finished trial told twice counts once; what a dead worker had begun
goes back to the queue; a failed trial is recorded and the search goes on.
"""

import contextlib
import json
import time
import warnings
from pathlib import Path

import keras_tuner
from keras_tuner.src.engine.metrics_tracking import MetricsTracker
from keras_tuner.src.engine.trial import Trial, TrialStatus

from affectkeras.files import atomic_file
from affectkeras.searching.folder import (
    STATE_FILE,
    TrialFacts,
    drop_models,
    read_state,
    write_trials,
)

MOST_DEATHS = 2  # a trial that killed so many processes is recorded as failed
KILLED = "killed the process twice"
LEASE_S = 90.0  # a worker that was not heard of for so long is taken for dead


class ResilientOracle:
    """What all four have in common; stands before keras-tuner's class.

    Args:
        folder: of the search; the state is kept in it and read from it where there is one.
        sitting: names the processes that search together: what was running in another sitting died
            with it. None: the running trials of a state that is read may still be running.
        seconds: no trial begins after so many seconds of searching, over all sittings.
        lease_s: a worker that was silent for so many seconds is taken for dead.
        keep_models: models of so many best trials are kept.
        options: of keras-tuner's class.

    Attributes:
        on_end: called as `on_end(rows, trial's name, running trials)` after a trial ended.
        over: whether nothing is left to run.
    """

    defaults_first = True  # whether the first trial has the settings that the search starts from
    repeats = False  # whether keras-tuner's class may propose what was tried

    def __init__(
        self,
        folder: Path,
        *,
        sitting: str | None,
        seconds: float | None = None,
        lease_s: float = LEASE_S,
        keep_models: int = 10,
        **options,
    ):
        super().__init__(**options, max_retries_per_trial=0, max_consecutive_failed_trials=None)
        self.folder = Path(folder)
        self.verbose = 0
        self.sitting = sitting
        self.seconds = seconds
        self.lease_s = lease_s
        self.keep_models = keep_models
        self.facts: dict[str, TrialFacts] = {}
        self.deaths: dict[str, int] = {}
        self.over = False
        self.on_end = None
        self._seen: dict[str, float] = {}
        self._before = 0.0
        self._began = time.monotonic()
        self._held = False

    @property
    def elapsed(self) -> float:
        """Seconds of searching, over all sittings."""
        return self._before + time.monotonic() - self._began

    @keras_tuner.synchronized
    def create_trial(self, tuner_id: str) -> Trial:
        """Return the trial that a worker is to run; its status is IDLE while it has to wait."""
        with self._one_commit():
            self.see(tuner_id)
            late = self.seconds is not None and self.elapsed >= self.seconds
            if late and tuner_id not in self.ongoing_trials:
                trial = Trial(self.get_space(), trial_id="", status=TrialStatus.STOPPED)
            else:
                with warnings.catch_warnings():
                    # Of Gaussian processes on few points.
                    warnings.filterwarnings("ignore", module="sklearn")
                    trial = super().create_trial(tuner_id)
            if trial.status == TrialStatus.STOPPED:
                if self.ongoing_trials or (self._retry_queue and not late):
                    # Whoever runs them may die: then they are needed again.
                    trial.status = TrialStatus.IDLE
                else:
                    self.over = True
        return trial

    def populate_space(self, trial_id: str) -> dict:
        """Return the values of a new trial, none that was tried before."""
        if self.defaults_first and not self.trials:
            return {"status": TrialStatus.RUNNING, "values": self._defaults()}
        found = super().populate_space(trial_id)
        # The Gaussian process proposes a point of a discrete space again and again.
        if self.repeats and found.get("values") and self._duplicate(found["values"]):
            found["values"] = self._random_values()
            if found["values"] is None:
                found["status"] = TrialStatus.STOPPED
        return found

    @keras_tuner.synchronized
    def end_trial(self, trial: Trial, facts: TrialFacts | None = None) -> None:
        """Record a trial that ended, once, however often it is told.

        Its `facts` say all that there is to know; of `trial` only the name is read.
        """
        name, facts = trial.trial_id, facts or TrialFacts()
        if name in self.end_order:
            return
        with self._one_commit():
            if name in self._retry_queue:  # by a worker that was taken for dead
                self._retry_queue.remove(name)
            own = self.trials[name]
            own.status = TrialStatus.FAILED if facts.cause else TrialStatus.COMPLETED
            own.message = facts.cause or None
            own.metrics = MetricsTracker()
            if not facts.cause:
                own.metrics.register(self.objective.name, self.objective.direction)
                own.metrics.update(self.objective.name, facts.objective)
            self.facts[name] = facts
            super().end_trial(own)
            for tuner_id in self._runners(name):
                self.ongoing_trials.pop(tuner_id)
        self._tell_end(name)

    @keras_tuner.synchronized
    def give_back(self, tuner_id: str) -> None:
        """Take back the trial of a worker that stops of its own accord."""
        with self._one_commit():
            self._release(tuner_id, died=False)

    def see(self, tuner_id: str) -> None:
        """Note that a worker lives, and take back the trials of those that do not.

        A worker is named `name#number`: a new number is a new process under the old name, and says
        that the earlier one is dead.
        """
        now = time.monotonic()
        self._seen[tuner_id] = now
        name = tuner_id.partition("#")[0]
        for other in [one for one in self.ongoing_trials if one != tuner_id]:
            replaced = "#" in other and other.partition("#")[0] == name
            silent = now - self._seen.setdefault(other, now) > self.lease_s
            if replaced or silent:
                self._release(other, died=True)
                self.save()

    def rows(self) -> list[dict]:
        """Return the rows of `trials.csv`, in the order of the trials."""
        states = {
            TrialStatus.COMPLETED: "completed",
            TrialStatus.FAILED: "failed",
            TrialStatus.RUNNING: "running",
        }
        rows = []
        for name, trial in sorted(self.trials.items()):
            facts = self.facts.get(name, TrialFacts())
            rows.append(
                {
                    "trial": name,
                    "status": states.get(trial.status, "waiting"),
                    "cause": trial.message or "",
                    "objective": facts.objective,
                    "seconds": facts.seconds,
                    "worker": facts.worker,
                    "ended": self.end_order.index(name) if name in self.end_order else None,
                    "values": dict(trial.hyperparameters.values),
                    "measures": dict(facts.measures),
                }
            )
        return rows

    def save(self) -> None:
        """Write everything that is known, as one file."""
        if self._held:
            return
        state = {
            "format": 1,
            "sitting": self.sitting,
            "elapsed": self.elapsed,
            "over": self.over,
            "deaths": self.deaths,
            "facts": {name: vars(facts) for name, facts in self.facts.items()},
            "trials": [trial.get_state() for trial in self.trials.values()],
            "oracle": self.get_state(),
        }
        with atomic_file(self.folder / STATE_FILE) as file:
            file.write(json.dumps(state).encode("utf-8", "backslashreplace"))

    def reload(self) -> None:
        """Take over the state of the folder, where there is one."""
        state = read_state(self.folder)
        if state is None:
            return
        self.trials = {one["trial_id"]: Trial.from_state(one) for one in state["trials"]}
        self.facts = {name: TrialFacts(**facts) for name, facts in state["facts"].items()}
        self.deaths = state["deaths"]
        self._before = state["elapsed"]
        self.set_state(state["oracle"])
        if self.sitting is None or state["sitting"] == self.sitting:
            return
        with self._one_commit():
            # A search of one process died by its one trial, perhaps; one of several did not.
            alone = [one for one in self.ongoing_trials if "#" not in one]
            for tuner_id in list(self.ongoing_trials):
                self._release(tuner_id, died=tuner_id in alone)

    def _save_trial(self, trial: Trial) -> None:
        """Write nothing: the trials are part of the state."""

    def _check_consecutive_failures(self) -> None:
        """Stop for no number of failures."""

    def _release(self, tuner_id: str, *, died: bool) -> None:
        trial = self.ongoing_trials.pop(tuner_id, None)
        if trial is None or trial.trial_id in self.end_order or self._runners(trial.trial_id):
            return
        name = trial.trial_id
        self.deaths[name] = self.deaths.get(name, 0) + died
        if self.deaths[name] >= MOST_DEATHS:
            trial.status, trial.message = TrialStatus.FAILED, KILLED
            self.end_order.append(name)
            self._after_end(name)
            self._tell_end(name)
            return
        # Not RUNNING: the Gaussian process takes such trials for ones whose worker it knows.
        trial.status = TrialStatus.INVALID
        self._retry_queue.insert(0, name)

    def _tell_end(self, name: str) -> None:
        rows = self.rows()
        write_trials(self.folder, rows)
        drop_models(self.folder, rows, self.objective.direction, self.keep_models)
        if self.on_end is not None:
            self.on_end(rows, name, len(self.ongoing_trials))

    def _after_end(self, trial_id: str) -> None:
        """Note what keras-tuner's `end_trial` would have noted of a trial whose worker died."""

    def _runners(self, trial_id: str) -> list[str]:
        return [one for one, trial in self.ongoing_trials.items() if trial.trial_id == trial_id]

    def _defaults(self) -> dict:
        found = keras_tuner.HyperParameters()
        for hp in self.hyperparameters.space:
            found.merge([hp])
            if found.is_active(hp):
                found.values[hp.name] = hp.default
        return found.values

    @contextlib.contextmanager
    def _one_commit(self):
        """Save once, at the end, however often keras-tuner does."""
        if self._held:
            yield
            return
        self._held = True
        before = self._fingerprint()
        try:
            yield
        finally:
            self._held = False
        if self._fingerprint() != before:
            self.save()

    def _fingerprint(self) -> tuple:
        """Return what changes whenever there is something to save."""
        running = tuple((who, trial.trial_id) for who, trial in self.ongoing_trials.items())
        return running, len(self.trials), len(self.end_order), tuple(self._retry_queue), self.over
