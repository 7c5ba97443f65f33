"""The frozen vocabulary: what engines, executors, storage and observers exchange.

`trial` has trials, runs and curves; `parts` what a trial with several trainings is made of; `objective` which metric
decides; `definition` what makes a study the same study; `pareto` the best of several objectives. Nothing here knows
files, models or databases.
"""
