"""The kinds of operation that pruning knows, by what they do to channels.

Keras makes no public names of its raw operations (`keras.ops` holds the functions) nor of the
bases of its convolutions, so these come from `keras.src`.
"""

import keras
from keras import layers
from keras.src.applications.convnext import LayerScale, StochasticDepth
from keras.src.applications.inception_resnet_v2 import CustomScaleLayer
from keras.src.layers.convolutional.base_conv import BaseConv
from keras.src.layers.convolutional.base_depthwise_conv import BaseDepthwiseConv
from keras.src.layers.convolutional.base_separable_conv import BaseSeparableConv
from keras.src.layers.merging.base_merge import Merge as MergeLayer
from keras.src.layers.pooling.base_adaptive_pooling import BaseAdaptivePooling
from keras.src.layers.pooling.base_global_pooling import BaseGlobalPooling
from keras.src.layers.pooling.base_pooling import BasePooling
from keras.src.ops import nn, numpy

# Their output map c is made of input map c alone, and they hold nothing per channel.
KEEPING = (
    *(layers.ReLU, layers.LeakyReLU, layers.ELU, layers.Identity),
    *(layers.Dropout, layers.AlphaDropout, layers.GaussianDropout, layers.GaussianNoise),
    *(layers.SpatialDropout1D, layers.SpatialDropout2D, layers.SpatialDropout3D),
    *(layers.ActivityRegularization, StochasticDepth),
    *(BasePooling, BaseGlobalPooling, BaseAdaptivePooling),
    *(layers.ZeroPadding1D, layers.ZeroPadding2D, layers.ZeroPadding3D),
    *(layers.Cropping1D, layers.Cropping2D, layers.Cropping3D),
    *(layers.UpSampling1D, layers.UpSampling2D, layers.UpSampling3D),
    *(nn.Relu, nn.Relu6, nn.Sigmoid, nn.Softplus, nn.Softsign, nn.SoftShrink, nn.SparsePlus),
    *(nn.Silu, nn.Squareplus, nn.LogSigmoid, nn.LeakyRelu, nn.HardSigmoid, nn.HardSilu, nn.Elu),
    *(nn.Selu, nn.Gelu, nn.Celu, nn.TanhShrink, nn.HardTanh, nn.HardShrink, nn.Threshold),
    *(nn.MaxPool, nn.AveragePool, nn.AdaptiveMaxPool, nn.AdaptiveAveragePool),
    *(numpy.Tanh, numpy.Exp, numpy.Log, numpy.Log1p, numpy.Sqrt, numpy.Square, numpy.Absolute),
    *(numpy.Negative, numpy.Clip, numpy.Reciprocal),
)
# Channel c of one operand meets channel c of the other, or a number.
ARITHMETIC = (
    *(MergeLayer, CustomScaleLayer),
    *(numpy.Add, numpy.Subtract, numpy.Multiply, numpy.Divide, numpy.TrueDivide, numpy.Power),
    *(numpy.Maximum, numpy.Minimum),
)
REDUCTIONS = (numpy.Mean, numpy.Max, numpy.Min, numpy.Sum)
CONCATENATIONS = (layers.Concatenate, numpy.Concatenate)
# One number per channel, or per channel and position.
PER_CHANNEL = (layers.PReLU, LayerScale)
RESHAPES = (layers.Flatten, layers.Reshape, numpy.Reshape)
NORMALIZATIONS = (
    *(layers.LayerNormalization, layers.GroupNormalization),
    *(layers.UnitNormalization, layers.RMSNormalization),
)
SOFTMAXES = (layers.Softmax, nn.Softmax, nn.LogSoftmax, nn.Sparsemax)

PRODUCERS = (BaseConv, BaseDepthwiseConv, BaseSeparableConv, layers.Dense)

_ACTIVATIONS_OVER_CHANNELS = {
    keras.activations.softmax,
    keras.activations.log_softmax,
    keras.activations.sparsemax,
    keras.activations.glu,
}


def is_depthwise(layer) -> bool:
    """Return whether every output map of a layer is made of one input map alone."""
    if isinstance(layer, BaseConv):
        return layer.groups > 1 and layer.kernel.shape[-2] == 1
    return isinstance(layer, BaseDepthwiseConv)


def mixes(operation) -> bool:
    """Return whether an operation makes new maps, each out of all that it reads: a consumer."""
    known = isinstance(operation, (BaseConv, BaseSeparableConv, layers.Dense))
    return known and not is_depthwise(operation)


def is_elementwise(activation) -> bool:
    """Return whether an activation function is known to treat each number alone."""
    if isinstance(activation, layers.Activation):
        return is_elementwise(activation.activation)
    if isinstance(activation, (layers.ReLU, layers.LeakyReLU, layers.ELU)):
        return True
    if activation is None:
        return True
    built_in = getattr(keras.activations, getattr(activation, "__name__", ""), None)
    return activation is built_in and activation not in _ACTIVATIONS_OVER_CHANNELS
