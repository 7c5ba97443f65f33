"""The search itself: from what a person asks for to the last event.

`loop` is the search, one page: ask, train, store, tell, observe. `observer` is the interface of whoever is told.
"""
