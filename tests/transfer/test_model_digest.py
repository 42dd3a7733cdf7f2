import keras

from affectkeras.transfer.model_digest import describe_model


def make_model(name):
    # The layers get names of their own in every copy.
    inputs = keras.Input((4,))
    hidden = keras.layers.Dense(2, activation=name, kernel_initializer="ones")(inputs)
    return keras.Model(inputs, keras.layers.Rescaling(0.5)(hidden))


def test_equal_networks_have_equal_descriptions_whatever_their_layers_are_called():
    assert describe_model(make_model("relu")) == describe_model(make_model("relu"))


def test_description_changes_with_weights_and_with_what_layers_do():
    model, other = make_model("relu"), make_model("selu")
    assert describe_model(model)["weights"] == describe_model(other)["weights"]
    assert describe_model(model)["layers"] != describe_model(other)["layers"]
    model.layers[1].bias.assign([0.0, 1e-7])
    assert describe_model(model)["weights"] != describe_model(other)["weights"]
