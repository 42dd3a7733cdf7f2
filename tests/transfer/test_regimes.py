import pytest

from affectkeras.transfer.regimes import plan_regime
from affectkeras.transfer.stages import Stage, cosine_plan, paper_plan, staged_plan


@pytest.mark.parametrize("regime", ["all", "scratch"])
def test_where_every_layer_trains_a_plan_is_what_it_was_without_regimes(regime):
    assert plan_regime(regime, "paper", 31, 1e-4) == paper_plan(31, 1e-4)
    assert plan_regime(regime, "staged", 31, 1e-4) == staged_plan(31, 1e-4)
    assert plan_regime(regime, "cosine", 31, 1e-4) == cosine_plan(31, 1e-4)


def test_the_regime_head_is_one_stage_whatever_the_plan():
    still = {"freeze_normalization": True, "weight_decay": 0.01}
    constant = (Stage("head", 0, 9, "head", 1e-3, **still),)
    assert plan_regime("head", "paper", 9, 1e-3, weight_decay=0.01) == constant
    assert plan_regime("head", "staged", 9, 1e-3, weight_decay=0.01) == constant
    decaying = (Stage("head", 0, 9, "head", 1e-3, schedule="cosine", **still),)
    assert plan_regime("head", "cosine", 9, 1e-3, weight_decay=0.01) == decaying


def test_last_blocks_train_from_the_first_epoch_or_after_the_head():
    paper = plan_regime("last-blocks", "paper", 9, 1e-3, last_blocks=2)
    assert paper == (Stage("last-2", 0, 9, 2, 1e-3, freeze_normalization=True),)
    staged = plan_regime("last-blocks", "staged", 9, 1e-3, last_blocks=2, weight_decay=0.5)
    assert [(one.name, one.first_epoch, one.last_epoch) for one in staged] == [
        ("head", 0, 3),
        ("last-2", 3, 9),
    ]
    assert staged[1].trainable == 2
    assert staged[1].backbone_rate == 0.1
    assert [one.weight_decay for one in staged] == [0.5, 0.5]


def test_decay_and_block_rates_go_into_every_stage():
    options = {"weight_decay": 0.25, "block_rate": 0.5}
    for regime in ("head", "last-blocks", "all"):
        for plan in ("paper", "staged", "cosine"):
            for stage in plan_regime(regime, plan, 9, 1e-3, **options):
                assert (stage.weight_decay, stage.block_rate) == (0.25, 0.5)
