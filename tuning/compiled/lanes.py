"""Several trainings in one process, whose epochs are run together where they share a program.

Owns the lanes: threads of which one runs at a time, from where it waits to where it waits next. A training in a lane is
one like any other, with callbacks, reports and checkpoints of its own, and what is Python's or Keras's for a whole
process is handed over with the turn: random generators, standard streams, what Keras keeps for each thread. It waits in
one place only, where its epoch is to be run. When all lanes wait, the epochs that share a program are run as one
(see `on_jax.program.Program.run_together`) and the others one after the other. So a lane that ends, fails or is stopped
is no longer there the next time, a new one joins in as soon as it comes to its first epoch, and nobody else learns of
it.
"""

from __future__ import annotations

import random
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from tuning.compiled import private

if TYPE_CHECKING:  # Keras is imported where a model is trained
    from tuning.compiled.arrays import Samples
    from tuning.compiled.backends import Program

_here = threading.local()

Results = tuple[list[Any], list[Any]]


def company() -> int:
    """Return how many epochs were run as one at most, this lane's among them; 1 where none were."""
    lane = getattr(_here, "lane", None)
    return 1 if lane is None else int(lane.company)


def n_alone() -> int:
    """Return how many epochs of this lane were run by themselves."""
    lane = getattr(_here, "lane", None)
    return 0 if lane is None else int(lane.n_alone)


@dataclass(eq=False)
class Epoch:
    """An epoch that a lane waits for: the arguments of `Program.run`, and what came of it, in what company."""

    program: Program
    given: tuple[Any, ...]
    results: Results = field(default_factory=lambda: ([], []))
    error: BaseException | None = None
    company: int = 1

    def run(self) -> None:
        """Run it by itself."""
        try:
            self.results = self.program.run(*self.given)
        except BaseException as error:  # it is the lane's
            self.error = error


def run(program: Program, *given: Any) -> Results:
    """Return `program.run(*given)`; in a lane run together with the others' epochs."""
    epoch = Epoch(program, given)
    lane = getattr(_here, "lane", None)
    if lane is None:
        epoch.run()
    else:
        lane.lanes.wait_for(lane, epoch)
        lane.company = max(lane.company, epoch.company)
        lane.n_alone += epoch.company == 1
    if epoch.error is not None:
        raise epoch.error
    return epoch.results


def shared(samples: Samples) -> Samples:
    """Return samples that another lane has on the device already, where they are equal to these; or these."""
    lane = getattr(_here, "lane", None)
    return samples if lane is None else lane.lanes.known(samples)


class _Lane:
    """A thread's place among the others, and what is to be as it left it when its turn comes.

    Attributes:
        lanes: those that it is one of.
        turn: released when it may go on.
        kept: random generators, standard streams, and what Keras keeps for each thread.
        company, n_alone: see the functions of that name.
    """

    def __init__(self, lanes: Lanes, kept: tuple[Any, ...]) -> None:
        self.lanes, self.turn, self.kept = lanes, threading.Semaphore(0), kept
        self.company, self.n_alone = 1, 0

    def leave(self) -> None:
        self.kept = *_of_the_process(), private.of_this_thread()

    def take_turn(self) -> None:
        self.turn.acquire()
        python, numpy, sys.stdout, sys.stderr, of_keras = self.kept
        random.setstate(python)
        np.random.set_state(numpy)
        private.set_for_this_thread(of_keras)


def _of_the_process() -> tuple[Any, ...]:
    return random.getstate(), np.random.get_state(), sys.stdout, sys.stderr


class Lanes:
    """The lanes of a process; made before there is one.

    Args:
        is_measured: whether the epochs of a program are run together only where that was found to be quicker.
    """

    def __init__(self, is_measured: bool = False) -> None:
        self._is_measured = is_measured
        self._kept = _of_the_process()
        self._changed = threading.Condition()
        self._n, self._has_turn = 0, False  # whether one of them
        self._ready: deque[_Lane] = deque()
        self._waiting: dict[_Lane, Epoch] = {}
        self._choices: weakref.WeakKeyDictionary[Any, _Choice] = weakref.WeakKeyDictionary()
        self._samples: list[weakref.ref[Samples]] = []

    def start(self, work: Callable[[], None]) -> None:
        """Have `work` done in a lane of its own, which sees of Keras what this thread has set."""
        lane = _Lane(self, (*self._kept, private.of_this_thread()))
        threading.Thread(target=self._live, args=(lane, work), daemon=True).start()
        with self._changed:
            self._n += 1
            self._ready.append(lane)
            is_idle, self._has_turn = not self._has_turn, True
        if is_idle:
            self._pass_on()

    def wait(self) -> None:
        """Wait until no lane is left."""
        with self._changed:
            self._changed.wait_for(lambda: self._n == 0)

    def wait_for(self, lane: _Lane, epoch: Epoch) -> None:
        """Let the others go on until this epoch has been run."""
        self._waiting[lane] = epoch
        lane.leave()
        self._pass_on()
        lane.take_turn()

    def known(self, samples: Samples) -> Samples:
        """Return samples that are equal to these, of a lane that is under way; or these, which are known from now."""
        self._samples = [known for known in self._samples if known() is not None]
        for known in (reference() for reference in self._samples):
            if known is not None and _are_equal(known, samples):
                return known
        self._samples.append(weakref.ref(samples))
        return samples

    def _live(self, lane: _Lane, work: Callable[[], None]) -> None:
        lane.take_turn()
        _here.lane = lane
        try:
            work()
        finally:
            self._pass_on()
            with self._changed:
                self._n -= 1
                self._changed.notify_all()

    def _pass_on(self) -> None:
        """Give the turn to the next lane that can go on; when all of them wait for an epoch, run these first."""
        while True:
            with self._changed:
                if self._ready or not self._waiting:
                    self._has_turn = bool(self._ready)
                    if self._ready:
                        self._ready.popleft().turn.release()
                    return
            waiting, self._waiting = self._waiting, {}
            self._run([*waiting.values()])
            with self._changed:
                self._ready.extend(waiting)

    def _run(self, epochs: Sequence[Epoch]) -> None:
        groups: dict[Any, list[Epoch]] = {}
        for epoch in epochs:
            *_, n_rows, validate = epoch.given
            groups.setdefault((id(epoch.program), n_rows, validate), []).append(epoch)
        for group in groups.values():
            choice = self._choices.setdefault(group[0].program, _Choice(self._is_measured))
            choice.run(group)


@dataclass
class _Choice:
    """Whether epochs of one program are run together: unless it cannot be done, or was measured to be slower.

    Attributes:
        is_measured: whether to measure.
        seconds: of a lane's epoch, the shortest that were seen: together, and by itself.
        n_together: how often epochs were run together; the first time is compiled.
    """

    is_measured: bool
    can: bool = True
    seconds: list[float] = field(default_factory=lambda: [float("inf")] * 2)
    n_together: int = 0

    def run(self, epochs: Sequence[Epoch]) -> None:
        """Run the epochs of some lanes."""
        together = len(epochs) > 1 and self.can and self._is_due_together()
        started = time.perf_counter()
        if together and not _run_together(epochs):
            together = self.can = False
        if not together:
            for epoch in epochs:
                epoch.run()
        if len(epochs) > 1:
            self._saw(together, (time.perf_counter() - started) / len(epochs))

    def _is_due_together(self) -> bool:
        if not self.is_measured or self.n_together < 2:
            return True
        together, alone = self.seconds
        return alone < float("inf") and together <= alone

    def _saw(self, together: bool, seconds: float) -> None:
        self.n_together += together
        if self.n_together > 1 or not together:
            at = int(not together)
            self.seconds[at] = min(self.seconds[at], seconds)


def _run_together(epochs: Sequence[Epoch]) -> bool:
    """Run epochs of one program as one; return whether that could be done: there may not be the memory."""
    together = getattr(epochs[0].program, "run_together", None)
    if together is None:
        return False
    try:
        found = together([epoch.given for epoch in epochs])
    except Exception:  # no state has changed yet
        return False
    for epoch, results in zip(epochs, found, strict=True):
        epoch.results, epoch.company = results, len(epochs)
    return True


def _are_equal(one: Samples, other: Samples) -> bool:
    if one.signature != other.signature or one.n_rows != other.n_rows:
        return False
    import keras

    pairs = zip(one.tensors, other.tensors, strict=True)
    return all(bool(keras.ops.all(keras.ops.equal(a, b))) for a, b in pairs)
