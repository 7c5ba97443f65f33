"""A Gaussian process of our own, as a sampler of Optuna's."""
