from affectkeras.fold_training.memory import bytes_of_fold, folds_that_fit, free_memory
from affectkeras.models.bvp_lstm import build_bvp_lstm
from affectkeras.models.sensor_fusion import build_sensor_fusion


def test_a_fold_holds_its_weights_eight_times_and_its_outputs_four_times():
    model = build_bvp_lstm(2, 2, rate=3, hidden_size=5, normalize=False)
    weights = 20 * (3 + 5 + 1) + 2 * 6
    # Inputs; the last state of the LSTM, and six times as many numbers at each step; two logits.
    outputs = 2 * 3 + 5 + 2 * 6 * 5 + 2
    assert bytes_of_fold(model, 7) == 4 * (8 * weights + 4 * 7 * outputs)


def test_the_patches_of_a_convolution_are_counted():
    model = build_sensor_fusion(
        8, (2,), 2, filters=3, dense=4, normalize=False, batch_normalization=False
    )
    weights = (3 * 2 * 3 + 3) + (3 * 3 * 3 + 3) + (4 * 3 * 4 + 4) + (4 * 2 + 2)
    convolutions = 6 * 3 * 2 + 6 * (3 * 2) + 4 * 3 * 2 + 4 * (3 * 3)
    outputs = 8 * 2 + convolutions + 4 * 3 + 4 + 2
    assert bytes_of_fold(model, 1) == 4 * (8 * weights + 4 * outputs)


def test_as_many_folds_are_trained_together_as_fill_half_of_the_memory():
    model = build_bvp_lstm(5)
    one = bytes_of_fold(model, 32)
    assert folds_that_fit(model, 32, free=20 * one + 1) == 10
    assert folds_that_fit(model, 32, free=one) == 1
    assert folds_that_fit(model, 32) == free_memory() // 2 // one or free_memory() > 0


def test_free_memory_is_that_of_a_machine():
    assert 2**20 < free_memory() < 2**50
