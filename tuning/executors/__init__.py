"""Executors: adapters to where runs are trained.

`base` is the door; `in_process`, `processes` and `cluster` are places. Of a worker process, `handle` is the driver's
side, `worker` the program that runs in it, `channel` what they say to each other; `guardian` ends what workers leave
behind, `output` keeps what trials print, and `patience` says when a worker is hung. `machine` shares out cores, memory
and GPUs.
"""
