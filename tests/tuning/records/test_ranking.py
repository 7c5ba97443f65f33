"""Rankings and Pareto sets that are kept from trial to trial are those that are made anew."""

import random
from dataclasses import replace

import pytest

from tuning.records.objective import Objective
from tuning.records.ranking import Front, Ranking, pareto, ranked
from tuning.records.trial import State, Training, Trial

LOSS, SIZE = Objective("loss", "min"), Objective("size", "max")


def a_trial(number):
    score = random.choice([None, float(random.randint(0, 9)), random.random()])
    scores = () if score is None else (score, float(random.randint(0, 9)))
    return Trial(number, {}, random.choice(list(State)), (Training(score=score),), scores=scores)


def front_by_definition(trials):
    keys = {t.number: (t.scores[0], -t.scores[1]) for t in trials if t.state is State.COMPLETED and t.scores}
    beaten = {
        n for n, k in keys.items() for o in keys.values() if o != k and all(a <= b for a, b in zip(o, k, strict=True))
    }
    return sorted(keys.keys() - beaten, key=lambda n: (keys[n], n))


@pytest.mark.medium
def test_trials_come_change_and_go():
    random.seed(0)
    ranking, front, trials = Ranking(LOSS), Front((LOSS, SIZE)), {}
    for step in range(400):
        trial = a_trial(random.randrange(40))
        if step % 7 == 0 and trials:  # one goes on: it counts again when it has ended
            trial = replace(random.choice(list(trials.values())), state=State.RUNNING)
        before = front.numbers
        trials[trial.number] = trial
        ranking.update(trial)
        changed = front.update(trial)
        listed = list(trials.values())
        assert ranking.first(len(trials)) == [t.number for t in ranked(listed, LOSS)]
        assert front.numbers == front_by_definition(listed) == [t.number for t in pareto(listed, (LOSS, SIZE))]
        assert changed == (set(before) != set(front.numbers))
    ranking.update(trial, counts=False)
    assert trial.number not in ranking.first(99)


def test_without_objectives_there_is_no_front():
    front = Front(())
    assert not front.update(Trial(0, {}, State.COMPLETED)) and front.numbers == []
