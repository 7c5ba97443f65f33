"""A study as its user sees it.

`study` says what a study holds, `folders` finds and opens them, `models` makes its trials' models again, `tables` puts
trials into data frames, `shown` into text and HTML, `plots` into pictures, `told` into records of Optuna; `importance`
tells what explains the differences between trials. This room only reads: nothing is trained here, and nothing of a
study is changed.
"""

from tuning.study.folders import checked, find_studies, load
from tuning.study.study import Study

__all__ = ["Study", "checked", "find_studies", "load"]
