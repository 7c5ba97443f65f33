"""Optuna's samplers and pruners as an engine."""
