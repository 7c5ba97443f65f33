"""A study as its user sees it.

`study` says what a study holds, `models` makes its trials' models again, `tables` puts trials into data frames,
`shown` into text and HTML, `plots` into pictures, `told` into records of Optuna; `importance` tells what explains the
differences between trials. This room only reads: nothing is trained here, and nothing of a study is changed.
"""

from tuning.study.folders import find_studies
from tuning.study.study import Study, load

__all__ = ["Study", "find_studies", "load"]
