"""Engines: adapters to what proposes trials.

`base` is the door; each other module adapts one kind of engine; `registry` makes an engine by its name.
"""
