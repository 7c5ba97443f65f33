"""Programs such as people write them, small: one of each kind that a search must take as it is."""
