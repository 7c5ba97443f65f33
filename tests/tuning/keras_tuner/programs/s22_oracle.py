"""What lives on the oracle: one of the program's own, hooks, copies of hyperparameters, the models that come along."""

import keras_tuner as kt


class FromTheMiddle(kt.Oracle):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.ended = []

    def populate_space(self, trial_id):
        values = {h.name: h.default for h in self.get_space().space}
        values["a"] = 5 + len(self.start_order)
        return {"status": "RUNNING", "values": values}

    @kt.synchronized
    def end_trial(self, trial):
        super().end_trial(trial)
        self.ended.append(trial.trial_id)

    def score_trial(self, trial):
        super().score_trial(trial)
        trial.score = trial.score + 100


class Counting(kt.Tuner):
    begun, finished = 0, 0

    def on_trial_begin(self, trial):
        self.begun += 1
        super().on_trial_begin(trial)

    def on_trial_end(self, trial):
        self.finished += 1
        super().on_trial_end(trial)

    def run_trial(self, trial, *args, **kwargs):
        hp = trial.hyperparameters
        assert isinstance(hp, kt.HyperParameters) and isinstance(hp, kt.engine.hyperparameters.HyperParameters)
        copy = hp.copy()
        copy.merge(kt.HyperParameters())
        assert kt.HyperParameters.from_config(hp.get_config()).values == copy.values
        return hp.Int("a", 0, 20)


hp = kt.HyperParameters()
hp.Int("a", 0, 20)
oracle = FromTheMiddle(objective=None, max_trials=4, hyperparameters=hp)
tuner = Counting(oracle=oracle, directory="out", project_name="oracle")
tuner.search()
assert oracle.ended == list(oracle.trials) and tuner.begun == tuner.finished == 4
assert [trial.score for trial in oracle.trials.values()] == [105, 106, 107, 108]
assert oracle.get_best_trials(1)[0].trial_id == oracle.start_order[0]
space = kt.HyperParameters()
kt.applications.HyperResNet(input_shape=(32, 32, 3), classes=2)
assert issubclass(kt.applications.HyperXception, kt.HyperModel)
