"""Train runs on the machines of an existing cluster, by dask.distributed.

Of a slot, `executor` is the driver's side and `agent` the task that holds it on a machine; `wire` is what they say to
each other, and `slots` what the driver knows of all of them. `link` owns the connection to the scheduler, `transfer`
and `files` how files get from one machine to another, `space` how the code of a space does, and `versions` which
machines can be used.

The agent trains nothing itself: it starts the same worker processes as a search on one machine does, so that a crash, a
hang or a leak costs one of these and not Dask's worker. Retries are the search's: a slot that is lost becomes a
message, and Dask runs nothing twice. Discovery, TLS, and how workers are started and ended are Dask's business.
"""
