"""Train one run, wherever it is.

`train` is the whole of it: build or restore, fit, report each epoch, obey, checkpoint. `callbacks` are made afresh
for each run, `checkpoints` keep weights on disk, `export` writes models as files for others, `summaries` logs more for
TensorBoard on request, `resources` measures what a model costs.
"""
