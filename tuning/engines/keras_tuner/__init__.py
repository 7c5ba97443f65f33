"""KerasTuner's oracles as engines."""
