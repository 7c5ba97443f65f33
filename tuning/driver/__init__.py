"""The search itself: from what a person asks for to the last event.

`request` is what was asked for, checked; `plan` makes of it what will be searched; `opening` opens the study; `run` is
all of that on one page. `loop` is the search: ask, train, store, tell, observe. `asking` lets a program train in place
of executors. `observer` is the interface of whoever is told.
"""
