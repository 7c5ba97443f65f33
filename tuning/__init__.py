"""Hyperparameter search for Keras: one `build_model(hp)`, every engine, every trial in TensorBoard."""
