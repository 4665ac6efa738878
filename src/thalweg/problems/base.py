"""What a problem is, and what a trial of it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import numpy.typing as npt

Array = npt.NDArray[Any]
Step = Callable[[], tuple[float, dict[str, Array]]]


class Trial(ABC):
    """One training run's parameters and data, without the rule that updates them.

    A rule's update of `params` in place is all that happens to them:

        for step in trial.epoch():
            loss, grads = step()
            optimizer.update(trial.params, grads)
    """

    params: dict[str, Array]
    """The parameters: arrays to be updated in place."""

    @abstractmethod
    def epoch(self) -> Iterator[Step]:
        """The steps of the next epoch: `Problem.steps_per_epoch` functions without arguments.

        Each gives (loss: float, grads: arrays under the names of `params`) of its batch at the parameters as they are
        when it is called. Which batches an epoch has depends on the seed and the epoch's number only.
        """

    @abstractmethod
    def evaluate(self) -> dict[str, float]:
        """train_loss, train_metric, val_loss, val_metric, test_loss and test_metric at the parameters as they are.

        Each over the whole part of the data. A diverged run gives inf or nan, without a warning.
        """


class Problem(ABC):
    """What a rule is tried on. Everything here is declared before a run and the same for every rule."""

    name: str
    """As in `problems.NAMES`."""
    title: str
    description: str
    """One sentence, with the source and the licence of the data."""
    metric: str
    """"accuracy" or "value": what `train_metric`, `val_metric` and `test_metric` are."""
    metric_title: str
    """The metric as a label of an axis."""
    higher_is_better: bool
    target: float
    """The metric that counts as solved, fixed before looking."""
    targets: tuple[float, ...]
    """The sweep beside it, from easy to hard; the target is one of them."""
    epochs: int
    """The default length of a run."""
    batch_size: int | None
    """None where there is no data."""
    steps_per_epoch: int
    chance: float
    """The metric of an answer that knows nothing."""

    @property
    @abstractmethod
    def config(self) -> dict[str, Any]:
        """All that decides a run's numbers beside rule, seed and epochs, as JSON values.

        Two runs of the same config, rule, seed and epochs are the same run.
        """

    @abstractmethod
    def start(self, seed: int) -> Trial:
        """A trial from its beginning. The same seed gives the same start and batches, whatever the rule.

        seed: an integer >= 0, else ValueError.
        """
