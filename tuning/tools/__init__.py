"""What is done beside a search.

`baselines` fits scikit-learn's counterparts; `range_test` looks for learning rates, and `picture` draws what it found.
"""
