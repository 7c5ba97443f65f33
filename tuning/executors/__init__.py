"""Executors: adapters to where runs are trained.

`base` is the door; each other module is one place: this process, worker processes.
"""
