"""The frozen vocabulary: what engines, executors, storage and observers exchange.

`trial` has trials, runs and curves; `trainings` how its trainings go and what they come to; `objective` which metric
decides; `definition` what makes a study the same study; `pareto` the best of several objectives. Nothing here knows
files, models or databases.
"""
