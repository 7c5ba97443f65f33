"""Train one run, wherever it is.

`train` is the whole of it: build or restore, fit, report each epoch, obey, checkpoint. `messages` is what driver and
executors know of it. `models` handles a model, `fit` calls a space's `fit`, `progress` counts epochs and keeps
weights, `seeding` minds the random generators. `callbacks` are made afresh for each run, `checkpoints` keep weights on
disk, `export` writes models as files for others, `summaries` logs more for TensorBoard on request, `resources`
measures what a model costs.
"""
