"""scikit-learn's searches over grids and distributions as an engine."""
