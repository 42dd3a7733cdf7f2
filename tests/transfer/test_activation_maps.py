import keras
import numpy as np
import pytest

from affectkeras.reporting.backbone_plot import draw_maps, write_maps_picture
from affectkeras.transfer.activation_maps import find_depths, pack_maps, read_maps
from affectkeras.transfer.zoo import build_backbone, build_preprocessing, find_backbone

FACE = np.random.default_rng(0).uniform(0, 255, (64, 64, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def mobilenet():
    return build_backbone(find_backbone("mobilenet_0.25"), (64, 64), "none")


def test_depths_are_the_ends_of_the_first_middle_and_last_block(mobilenet):
    ends = {depth: layer.name for depth, layer in find_depths(mobilenet).items()}
    assert ends == {
        "early": "conv_pw_1_relu",
        "middle": "conv_pw_5_relu",
        "late": "conv_pw_13_relu",
    }


def test_depths_of_a_residual_network_are_the_ends_of_its_stages():
    resnet = build_backbone(find_backbone("resnet50"), (32, 32), "none")
    ends = {depth: layer.name for depth, layer in find_depths(resnet).items()}
    assert ends == {"early": "conv1_relu", "middle": "conv3_block4_out", "late": "conv5_block3_out"}


def test_maps_are_what_the_layer_gives_the_most_varied_first(mobilenet):
    preprocessing = build_preprocessing(find_backbone("mobilenet_0.25"), (64, 64))
    early, middle, late = read_maps(mobilenet, preprocessing, FACE)
    assert (early.count, middle.count, late.count) == (16, 64, 256)
    assert early.maps.shape == (32, 32, 12)
    assert late.maps.shape == (2, 2, 12)
    spread = middle.maps.std(axis=(0, 1))
    assert (np.diff(spread) <= 1e-6).all()
    # Slowly: the same layer, reached by a model of its own, from pixels in [-1, 1].
    reader = keras.Model(mobilenet.input, mobilenet.get_layer("conv_pw_5_relu").output)
    maps = keras.ops.convert_to_numpy(reader(FACE[None] / 127.5 - 1, training=False))[0]
    most = maps.std(axis=(0, 1)).argmax()
    np.testing.assert_allclose(middle.maps[..., 0], maps[..., most], atol=1e-4)


def test_reading_maps_leaves_the_image_as_it_was(mobilenet):
    before = FACE.copy()
    read_maps(mobilenet, None, FACE)
    np.testing.assert_array_equal(FACE, before)


def test_the_picture_names_depth_layer_and_how_many_maps(mobilenet, tmp_path):
    arrays = pack_maps(FACE, read_maps(mobilenet, None, FACE))
    titles = [axes.get_title(loc="left") for axes in draw_maps(arrays).axes]
    titles += [axes.get_title() for axes in draw_maps(arrays).axes]
    assert "early: conv_pw_1_relu, 16 maps of 32×32" in titles
    assert "late: conv_pw_13_relu, 256 maps of 2×2" in titles
    write_maps_picture(tmp_path / "maps.png", arrays)
    assert (tmp_path / "maps.png").read_bytes().startswith(b"\x89PNG")
