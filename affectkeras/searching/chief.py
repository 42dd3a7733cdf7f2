"""keras-tuner's chief and workers, talking by its own gRPC service.

What keras-tuner's messages lose travels beside them as JSON: they carry numbers as 32-bit floats
and no message of a trial that failed.
"""

import contextlib
import dataclasses
import json
import threading
import time
from concurrent import futures

import grpc
from keras_tuner.src import protos
from keras_tuner.src.distribute.oracle_chief import OracleServicer
from keras_tuner.src.engine.trial import Trial, TrialStatus

from affectkeras.errors import UserError
from affectkeras.searching.folder import TrialFacts

WORKER, SAID = "affectkeras-worker", "affectkeras-said-bin"
OPTIONS = (
    ("grpc.max_metadata_size", 1 << 20),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.so_reuseport", 0),
)
TICK_S = 0.1
GRACE_S = 5.0  # how long a chief whose search is over waits for workers that have not heard of it
HEARTBEAT_S = 10.0
PATIENCE_S = 600.0  # how long workers wait for a chief that is away
CALL_S = 60.0
GIVEN_BACK = "given back"


class _Service(OracleServicer):
    """Answers workers; one call at a time."""

    def __init__(self, oracle):
        super().__init__(oracle)
        self.told: set[str] = set()
        self.asked: dict[str, float] = {}

    def CreateTrial(self, request, context):
        self.asked[request.tuner_id] = time.monotonic()
        trial = self.oracle.create_trial(request.tuner_id)
        if trial.status == TrialStatus.STOPPED:
            self.told.add(request.tuner_id)
        values = json.dumps(trial.hyperparameters.values)
        context.set_trailing_metadata(((SAID, values.encode()),))
        return protos.get_service().CreateTrialResponse(trial=trial.to_proto())

    def EndTrial(self, request, context):
        said = dict(context.invocation_metadata())
        facts = json.loads(said[SAID])
        if facts == GIVEN_BACK:
            self.oracle.give_back(said[WORKER])
        else:
            trial = self.oracle.get_trial(request.trial.trial_id)
            self.oracle.end_trial(trial, TrialFacts(**facts))
        return protos.get_service().EndTrialResponse()

    def GetSpace(self, request, context):
        """Answer a sign of life, for which keras-tuner has no call of its own."""
        self.oracle.see(dict(context.invocation_metadata())[WORKER])
        return super().GetSpace(request, context)

    def everybody_knows(self) -> bool:
        """Return whether all workers that asked lately were told that the search is over."""
        lately = time.monotonic() - 2 * HEARTBEAT_S
        return all(who in self.told for who, when in self.asked.items() if when > lately)


def serve(oracle, host: str, port: int) -> None:
    """Answer workers until the search is over.

    Args:
        oracle: one of `searching.oracles`.
        host, port: where to listen.

    Raises:
        UserError: when nobody can listen there.
    """
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1), options=OPTIONS)
    service = _Service(oracle)
    protos.get_service_grpc().add_OracleServicer_to_server(service, server)
    try:
        bound = server.add_insecure_port(f"{host}:{port}")
    except RuntimeError:
        bound = 0
    if not bound:
        raise UserError(f"--chief {host}:{port}: nobody can listen there. Give another port.")
    oracle.save()
    server.start()
    while not oracle.over:
        time.sleep(TICK_S)
    ended = time.monotonic()
    while not service.everybody_knows() and time.monotonic() - ended < GRACE_S:
        time.sleep(TICK_S)
    server.stop(grace=1).wait()


def chief_answers(host: str, port: int, patience_s: float = 5.0) -> bool:
    """Return whether a chief listens at an address."""
    with grpc.insecure_channel(f"{host}:{port}", options=OPTIONS) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=patience_s)
        except grpc.FutureTimeoutError:
            return False
    return True


class RemoteOracle:
    """Asks a chief, again and again while it is away.

    Args:
        host, port: of the chief.
        tuner_id: who asks.
        patience_s: how long to wait for a chief that is away.
    """

    def __init__(self, host: str, port: int, tuner_id: str, patience_s: float = PATIENCE_S):
        self._channel = grpc.insecure_channel(f"{host}:{port}", options=OPTIONS)
        self._stub = protos.get_service_grpc().OracleStub(self._channel)
        self._address = f"{host}:{port}"
        self._patience_s = patience_s
        self._who = (WORKER, tuner_id)
        self._left = threading.Event()

    def create_trial(self, tuner_id: str) -> Trial:
        """Return the trial to run, with its values to the last digit."""
        request = protos.get_service().CreateTrialRequest(tuner_id=tuner_id)
        response, call = self._ask(self._stub.CreateTrial, request)
        trial = Trial.from_proto(response.trial)
        trial.hyperparameters.values = json.loads(dict(call.trailing_metadata())[SAID])
        return trial

    def end_trial(self, trial: Trial, facts: TrialFacts) -> None:
        """Tell what came of a trial."""
        self._tell(trial, dataclasses.asdict(facts))

    def give_back(self, tuner_id: str) -> None:
        """Tell that this worker stops of its own accord; a chief that is away is not waited for."""
        with contextlib.suppress(grpc.RpcError, UserError):
            self._patience_s = 2.0
            self._tell(None, GIVEN_BACK)

    @contextlib.contextmanager
    def alive(self):
        """Give signs of life from a thread while a trial may take long."""
        thread = threading.Thread(target=self._give_signs, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._left.set()
            thread.join()
            self._channel.close()

    def _give_signs(self) -> None:
        request = protos.get_service().GetSpaceRequest()
        while not self._left.wait(HEARTBEAT_S):
            with contextlib.suppress(grpc.RpcError):  # the next call waits for the chief
                self._stub.GetSpace(request, timeout=HEARTBEAT_S, metadata=(self._who,))

    def _tell(self, trial: Trial | None, what) -> None:
        message = None if trial is None else protos.get_proto().Trial(trial_id=trial.trial_id)
        request = protos.get_service().EndTrialRequest(trial=message)
        self._ask(self._stub.EndTrial, request, (SAID, json.dumps(what).encode()))

    def _ask(self, method, request, *said):
        waited = time.monotonic()
        while True:
            try:
                return method.with_call(
                    request,
                    metadata=(self._who, *said),
                    wait_for_ready=True,
                    timeout=min(CALL_S, self._patience_s),
                )
            except grpc.RpcError as error:
                away = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
                if error.code() not in (*away, grpc.StatusCode.CANCELLED):
                    raise
                if time.monotonic() - waited > self._patience_s:
                    raise UserError(
                        f"no chief answers at {self._address}. Start it again with --resume, or "
                        "look whether the address can be reached from here."
                    ) from None
                time.sleep(TICK_S)
