"""What comes after a search: a final model, its card, and predictions.

`train` makes the final model and scores it on the test split; `record` is what is known about it; `card` writes that
for people; `inputs` reads files of samples, and `predictions` answers for them.
"""

from tuning.final.predictions import Predictions, predict
from tuning.final.record import Final
from tuning.final.train import finalize

__all__ = ["Final", "Predictions", "finalize", "predict"]
