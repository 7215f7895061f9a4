"""Functions on traced tensors under torch.nn.functional's names: layers, activations, losses.

    from graphc.nn import functional as F

    h = F.relu(F.linear(x, weight, bias))          # x: f32[N,784] -> f32[N,512]
    loss = F.cross_entropy(h, labels)              # labels: i64[N] -> f32[]

Argument names, order, defaults and formulas are torch's (2.13), the axis being called `dim` as there. `hinge_loss` and
`maxout`, which torch lacks, follow its manner.
"""

from graphc.nn.functional.activation import (
    celu,
    elu,
    gelu,
    glu,
    hardshrink,
    hardsigmoid,
    hardswish,
    hardtanh,
    leaky_relu,
    log_softmax,
    logsigmoid,
    maxout,
    mish,
    prelu,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    softmax,
    softmin,
    softplus,
    softshrink,
    softsign,
    tanh,
    tanhshrink,
    threshold,
)
from graphc.nn.functional.adaptive_pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    adaptive_max_pool3d,
)
from graphc.nn.functional.attention import scaled_dot_product_attention
from graphc.nn.functional.binary import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    hinge_embedding_loss,
    hinge_loss,
    multilabel_soft_margin_loss,
    soft_margin_loss,
)
from graphc.nn.functional.classification import cross_entropy, multi_margin_loss, nll_loss
from graphc.nn.functional.convolution import (
    conv1d,
    conv2d,
    conv3d,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
)
from graphc.nn.functional.distance import cosine_similarity, normalize, pairwise_distance
from graphc.nn.functional.dropout import alpha_dropout, dropout
from graphc.nn.functional.embedding import embedding, one_hot
from graphc.nn.functional.likelihood import gaussian_nll_loss, kl_div, poisson_nll_loss
from graphc.nn.functional.linear import bilinear, flatten, linear, unflatten
from graphc.nn.functional.normalization import batch_norm, layer_norm, rms_norm
from graphc.nn.functional.patches import fold, unfold
from graphc.nn.functional.pooling import (
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    max_pool1d,
    max_pool2d,
    max_pool3d,
)
from graphc.nn.functional.ranking import cosine_embedding_loss, margin_ranking_loss, triplet_margin_loss
from graphc.nn.functional.regression import huber_loss, l1_loss, mse_loss, smooth_l1_loss

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "alpha_dropout",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "batch_norm",
    "bilinear",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "celu",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "cosine_embedding_loss",
    "cosine_similarity",
    "cross_entropy",
    "dropout",
    "elu",
    "embedding",
    "flatten",
    "fold",
    "gaussian_nll_loss",
    "gelu",
    "glu",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hinge_embedding_loss",
    "hinge_loss",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_softmax",
    "logsigmoid",
    "margin_ranking_loss",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "maxout",
    "mish",
    "mse_loss",
    "multi_margin_loss",
    "multilabel_soft_margin_loss",
    "nll_loss",
    "normalize",
    "one_hot",
    "pairwise_distance",
    "poisson_nll_loss",
    "prelu",
    "relu",
    "relu6",
    "rms_norm",
    "scaled_dot_product_attention",
    "selu",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "soft_margin_loss",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "tanh",
    "tanhshrink",
    "threshold",
    "triplet_margin_loss",
    "unflatten",
    "unfold",
]
