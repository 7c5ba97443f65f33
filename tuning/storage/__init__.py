"""Where studies are kept: trials in Optuna's storage, and the files of a study's folder.

`store` is the record of a study; `rows` lays its trials out in Optuna's tables; `database` opens it for one driver;
`lock` keeps a folder to one.
"""
