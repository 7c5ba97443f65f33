"""A trial shows itself: at a prompt, and in a notebook."""

import xml.etree.ElementTree as ElementTree

from tuning.records.trial import Curve, State, Training, Trial

EPOCHS = ({"loss": 1.0, "val_loss": 0.9}, {"loss": 0.5, "val_loss": 0.4}, {"loss": float("nan"), "val_loss": 0.6})
TRIAL = Trial(3, {"units": 16, "rate": 0.001234567}, State.COMPLETED, (Training(Curve(EPOCHS), 0.4, 1, 12.0),), runs=())


def test_at_a_prompt_it_is_a_few_words():
    assert repr(TRIAL).splitlines() == [
        "trial 3: COMPLETED, score 0.4000 in epoch 1; 3 epochs, 12 s",
        "  units=16  rate=0.001235",
    ]


def test_a_notebook_shows_its_values_and_each_metric():
    tree = ElementTree.fromstring(TRIAL._repr_html_())
    values, metrics = tree.findall(".//tbody")
    assert [[cell.text for cell in row] for row in values] == [["units", "16"], ["rate", "0.001235"]]
    assert [[cell.text for cell in row][:4] for row in metrics] == [
        ["loss", "1.0000", "0.5000", None],
        ["val_loss", "0.9000", "0.4000", "0.6000"],
    ]
    assert len(tree.findall(".//polyline")) == 2


def test_what_a_trial_holds_is_no_markup_and_without_epochs_it_has_no_metrics():
    failed = Trial(0, {"<script>": "<b>"}, State.FAILED, error="<i>no</i>")
    assert not {"<script>", "<b>no", "<i>no"} & {failed._repr_html_()}
    ElementTree.fromstring(failed._repr_html_())
    assert "&lt;script&gt;" in failed._repr_html_() and "by epoch" not in failed._repr_html_()
    assert repr(failed).splitlines()[0].startswith("trial 0: FAILED, no score; 0 epochs")


def test_the_epochs_of_all_trainings_are_counted():
    parts = (Training(Curve(EPOCHS)), Training(Curve(EPOCHS[:2])))
    assert Trial(0, {}, trainings=parts, joint=parts[1]).trained_epochs == 5
