"""Plans: round trip and what is wrong with a wrong one."""

import json

import pytest

from affectkeras.pruning.plan import Constant, LayerPlan, Merge, PrunePlan

ENTRY = LayerPlan("conv", 6, (1, 3, 5), (Merge(1, 0, 0.5),), (Constant(5, -1.25),))
PLAN = PrunePlan("net", (ENTRY, LayerPlan("backbone/dense", 4, ())))


@pytest.mark.parametrize("plan", [PLAN, PrunePlan("empty", ())])
def test_a_plan_comes_back_from_json_as_it_was(plan):
    assert PrunePlan.from_json(plan.to_json()) == plan


def test_the_json_has_a_line_per_layer():
    lines = PLAN.to_json().splitlines()
    assert [line.count('"layer"') for line in lines].count(1) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("conv", 6, (3, 1)), "must ascend without repetition. Received: (3, 1)"),
        (("conv", 6, (1, 1)), "must ascend without repetition"),
        (("conv", 6, (6,)), "must lie in [0, 6). Received: 6"),
        (("conv", 6, (1,), (Merge(1, 6, 1.0),)), "must lie in [0, 6). Received: 6"),
        (("conv", 6, (1,), (Merge(2, 0, 1.0),)), "must each name removed maps"),
        (("conv", 6, (1,), (Merge(1, 0, 1.0),), (Constant(1, 0.0),)), "each map once"),
        (("conv", 6, (1, 2), (Merge(1, 2, 1.0),)), "must stay. Received: removed targets [2]"),
        (("conv", 6, (1,), (), (Constant(1, float("nan")),)), "must be finite"),
    ],
)
def test_a_wrong_entry_is_refused(arguments, message):
    with pytest.raises(ValueError) as caught:
        LayerPlan(*arguments)
    assert message in str(caught.value)
    assert "'conv'" in str(caught.value)


def test_a_layer_has_one_entry():
    with pytest.raises(ValueError, match=r"each layer once. Received twice: \['conv'\]"):
        PrunePlan("net", (ENTRY, ENTRY))


def edited(**changes):
    found = json.loads(PLAN.to_json())
    found["layers"][0].update(changes)
    return json.dumps(found)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "A plan must be JSON"),
        ("[]", "A plan must hold model_name, layers. Received: []"),
        ('{"model_name": "net"}', "Received: ['model_name']"),
        ('{"model_name": 3, "layers": []}', "`model_name` must be of type str. Received: 3"),
        ('{"model_name": "a", "layers": [{}]}', "An entry of `layers` must hold layer, channels"),
        (edited(channels="6"), "`channels` of layer 'conv' must be of type int. Received: '6'"),
        (edited(channels=True), "`channels` of layer 'conv' must be of type int"),
        (edited(removed=[1.5]), "`removed` of layer 'conv' must be of type int. Received: 1.5"),
        (edited(merges=[{"source": 1}]), "A merge of layer 'conv' must hold source, target, scale"),
        (edited(constants=3), "`constants` of layer 'conv' must be of type list"),
        (edited(surplus=1), "Received: ['channels', 'constants', 'layer', 'merges', 'removed', "),
    ],
)
def test_a_wrong_text_is_refused(text, message):
    with pytest.raises(ValueError) as caught:
        PrunePlan.from_json(text)
    assert message in str(caught.value)
