"""What is known of every backbone: published accuracies, sizes, parameters, depth.

Accuracies, file sizes and depths are those of the table "Available models" of Keras Applications
(keras.io/api/applications); of MobileNets of other widths, which it leaves out, the accuracies are
those of the tables in the documentation of `keras.applications.mobilenet`, `mobilenet_v2` and
`mobilenet_v3`, whose papers trained at 224×224. Parameters are counted on the networks as built.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Facts:
    """What a backbone's row in the zoo says.

    Args:
        size_mb: of the weights file with classification top, in MB, as published; None where no
            table has it.
        top1, top5: accuracy on ImageNet's validation part in percent, as published.
        parameters: with the classification top, statistics of normalizations included.
        parameters_without_top: of the network that gives pooled features.
        features: how many pooled features it gives.
        depth: layers with weights.
        depth_published: whether Keras's table has the depth; else it was counted here.
    """

    size_mb: float | None
    top1: float
    top5: float | None
    parameters: int
    parameters_without_top: int
    features: int
    depth: int
    depth_published: bool

    @property
    def megabytes(self) -> float:
        """The published size of the file; where there is none, four bytes for every parameter."""
        return self.parameters * 4 / 2**20 if self.size_mb is None else self.size_mb


FACTS = {
    "resnet50": Facts(98, 74.9, 92.1, 25_636_712, 23_587_712, 2048, 107, True),
    "resnet50v2": Facts(98, 76.0, 93.0, 25_613_800, 23_564_800, 2048, 103, True),
    "resnet101": Facts(171, 76.4, 92.8, 44_707_176, 42_658_176, 2048, 209, True),
    "resnet101v2": Facts(171, 77.2, 93.8, 44_675_560, 42_626_560, 2048, 205, True),
    "resnet152": Facts(232, 76.6, 93.1, 60_419_944, 58_370_944, 2048, 311, True),
    "resnet152v2": Facts(232, 78.0, 94.2, 60_380_648, 58_331_648, 2048, 307, True),
    "mobilenet_0.25": Facts(None, 50.6, None, 475_544, 218_544, 256, 55, False),
    "mobilenet_0.5": Facts(None, 63.7, None, 1_342_536, 829_536, 512, 55, False),
    "mobilenet_0.75": Facts(None, 68.4, None, 2_601_976, 1_832_976, 768, 55, False),
    "mobilenet_1.0": Facts(16, 70.4, 89.5, 4_253_864, 3_228_864, 1024, 55, True),
    "mobilenet_v2_0.35": Facts(None, 60.3, 82.9, 1_691_208, 410_208, 1280, 105, False),
    "mobilenet_v2_0.5": Facts(None, 65.4, 86.4, 1_987_224, 706_224, 1280, 105, False),
    "mobilenet_v2_0.75": Facts(None, 69.8, 89.6, 2_663_064, 1_382_064, 1280, 105, False),
    "mobilenet_v2_1.0": Facts(14, 71.3, 90.1, 3_538_984, 2_257_984, 1280, 105, True),
    "mobilenet_v2_1.3": Facts(None, 74.4, 92.1, 5_431_048, 3_766_048, 1664, 105, False),
    "mobilenet_v2_1.4": Facts(None, 75.0, 92.5, 6_156_712, 4_363_712, 1792, 105, False),
    "mobilenet_v3_small_0.75": Facts(None, 65.4, None, 2_051_552, 583_160, 432, 88, False),
    "mobilenet_v3_small": Facts(None, 68.1, None, 2_554_968, 939_120, 576, 88, False),
    "mobilenet_v3_large_0.75": Facts(None, 73.3, None, 4_012_616, 1_808_736, 720, 110, False),
    "mobilenet_v3_large": Facts(None, 75.6, None, 5_507_432, 2_996_352, 960, 110, False),
    "efficientnet_b0": Facts(29, 77.1, 93.3, 5_330_571, 4_049_571, 1280, 132, True),
    "efficientnet_b1": Facts(31, 79.1, 94.4, 7_856_239, 6_575_239, 1280, 186, True),
    "efficientnet_b2": Facts(36, 80.1, 94.9, 9_177_569, 7_768_569, 1408, 186, True),
    "efficientnet_b3": Facts(48, 81.6, 95.7, 12_320_535, 10_783_535, 1536, 210, True),
    "efficientnet_b4": Facts(75, 82.9, 96.4, 19_466_823, 17_673_823, 1792, 258, True),
    "efficientnet_b5": Facts(118, 83.6, 96.7, 30_562_527, 28_513_527, 2048, 312, True),
    "efficientnet_b6": Facts(166, 84.0, 96.8, 43_265_143, 40_960_143, 2304, 360, True),
    "efficientnet_b7": Facts(256, 84.3, 97.0, 66_658_687, 64_097_687, 2560, 438, True),
    "efficientnet_v2_b0": Facts(29, 78.7, 94.3, 7_200_312, 5_919_312, 1280, 151, False),
    "efficientnet_v2_b1": Facts(34, 79.8, 95.0, 8_212_124, 6_931_124, 1280, 185, False),
    "efficientnet_v2_b2": Facts(42, 80.5, 95.1, 10_178_374, 8_769_374, 1408, 193, False),
    "efficientnet_v2_b3": Facts(59, 82.0, 95.8, 14_467_622, 12_930_622, 1536, 225, False),
    "efficientnet_v2_s": Facts(88, 83.9, 96.7, 21_612_360, 20_331_360, 1280, 281, False),
    "efficientnet_v2_m": Facts(220, 85.3, 97.4, 54_431_388, 53_150_388, 1280, 403, False),
    "efficientnet_v2_l": Facts(479, 85.7, 97.5, 119_027_848, 117_746_848, 1280, 557, False),
    "vgg16": Facts(528, 71.3, 90.1, 138_357_544, 14_714_688, 512, 16, True),
    "vgg19": Facts(549, 71.3, 90.0, 143_667_240, 20_024_384, 512, 19, True),
    "inception_v3": Facts(92, 77.9, 93.7, 23_851_784, 21_802_784, 2048, 189, True),
    "inception_resnet_v2": Facts(215, 80.3, 95.3, 55_873_736, 54_336_736, 1536, 449, True),
    "xception": Facts(88, 79.0, 94.5, 22_910_480, 20_861_480, 2048, 81, True),
    "densenet121": Facts(33, 75.0, 92.3, 8_062_504, 7_037_504, 1024, 242, True),
    "densenet169": Facts(57, 76.2, 93.2, 14_307_880, 12_642_880, 1664, 338, True),
    "densenet201": Facts(80, 77.3, 93.6, 20_242_984, 18_321_984, 1920, 402, True),
    "nasnet_mobile": Facts(23, 74.4, 91.9, 5_326_716, 4_269_716, 1056, 389, True),
    "nasnet_large": Facts(343, 82.5, 96.0, 88_949_818, 84_916_818, 4032, 533, True),
    "convnext_tiny": Facts(109.42, 81.3, None, 28_589_128, 27_820_128, 768, 100, False),
    "convnext_small": Facts(192.29, 82.3, None, 50_223_688, 49_454_688, 768, 190, False),
    "convnext_base": Facts(338.58, 85.3, None, 88_591_464, 87_566_464, 1024, 190, False),
    "convnext_large": Facts(755.07, 86.3, None, 197_767_336, 196_230_336, 1536, 190, False),
    "convnext_xlarge": Facts(1310, 86.7, None, 350_196_968, 348_147_968, 2048, 190, False),
}
