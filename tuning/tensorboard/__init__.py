"""TensorBoard: every trial with its hyperparameters, metrics and curves, and the program that shows them.

`observer` writes a study's folder during the search: `hparams` says what is written about a trial, `columns`
how a hyperparameter becomes a column, `layout` where things lie, `writer` how an event file is made. `board`
starts TensorBoard; `compare` puts several studies side by side. Nothing here imports TensorFlow.
"""

from tuning.tensorboard.board import Board, serve
from tuning.tensorboard.observer import TensorBoardObserver

__all__ = ["Board", "TensorBoardObserver", "serve"]
