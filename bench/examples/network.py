"""A minimal neural network: one hidden layer, and fastlogit's loss as the output layer.

    pip install '.[plot]' && python -m bench.examples.network

Forward, for n rows X (n, d), h hidden units and K logits:

    H = σ(X V + a)      hidden units (n, h), with weights V (d, h) and a (h,)
    Z = H W + b         logits (n, K), with weights W (h, K) and b (K,)
    ξ                   mean cross-entropy of the logits and the targets t (n,)

Two classes need one logit z, which stands for the logits 0 and z: P(t = 1) = σ(z).  More classes
have a logit each, and softmax(Z).  The derivative of a row's loss by a logit is the probability of
its class, minus 1 for the row's own class.  One call gives ξ and G (n, K), these derivatives / n.

Backward, the chain rule leads from G through both layers.  As σ' = σ (1 - σ),

    ∂ξ/∂W = Hᵀ G        ∂ξ/∂b = sum of the rows of G
    ∂ξ/∂V = Xᵀ D        ∂ξ/∂a = sum of the rows of D,  with D = (G Wᵀ) * H * (1 - H)
"""

import sys
from collections import namedtuple
from functools import partial

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

import fastlogit as fl

Weights = namedtuple("Weights", ["V", "a", "W", "b"])


def forward(weights, X):
    """Hidden units and logits."""
    H = fl.sigmoid(X @ weights.V + weights.a)
    return H, H @ weights.W + weights.b


def logistic_output(Z, t):
    """Mean loss of two classes, and its derivatives by the one logit of each row."""
    loss, G = fl.log_loss_gradient(Z[:, 0], t, reduction="mean")
    return loss, G[:, np.newaxis]


softmax_output = partial(fl.softmax_log_loss_gradient, reduction="mean")


def backward(weights, X, t, output):
    """Loss, and its derivatives by all weights."""
    H, Z = forward(weights, X)
    loss, G = output(Z, t)
    D = (G @ weights.W.T) * H * (1.0 - H)
    return loss, Weights(X.T @ D, D.sum(axis=0), H.T @ G, G.sum(axis=0))


def gradient_error(weights, X, t, output, step=1e-5):
    """Largest distance of a derivative from (ξ(weight + step) - ξ(weight - step)) / (2 step)."""
    errors = []
    for array, derivatives in zip(weights, backward(weights, X, t, output)[1], strict=True):
        for i, weight in np.ndenumerate(array.copy()):
            array[i] = weight + step
            above, _ = output(forward(weights, X)[1], t)
            array[i] = weight - step
            below, _ = output(forward(weights, X)[1], t)
            array[i] = weight
            errors.append(abs((above - below) / (2.0 * step) - derivatives[i]))
    return max(errors)


def descend(weights, X, t, output, rate=2.0, steps=2000):
    """Train the weights in place by plain gradient descent, and return the last loss."""
    for _ in range(steps):
        loss, gradient = backward(weights, X, t, output)
        for array, derivatives in zip(weights, gradient, strict=True):
            array -= rate * derivatives
    return loss


def predict(weights, X):
    """The class of the largest logit."""
    _, Z = forward(weights, X)
    return Z.argmax(axis=1) if Z.shape[1] > 1 else (Z[:, 0] > 0.0).astype(int)


def spirals(n, classes, rng):
    """Points on arms that turn around the middle, one arm for each class."""
    t, radius = np.arange(n) % classes, 2.0 * np.sqrt(rng.random(n))
    angle = 2.0 * np.pi * t / classes + 2.0 * radius + rng.normal(0.0, 0.12, n)
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)]), t


def draw(ax, weights, X, t):
    """Draw the rows on the regions of the predicted classes."""
    colours = ListedColormap(["#0072B2", "#E69F00", "#008060"][: t.max() + 1])
    side = np.linspace(-2.5, 2.5, 300)
    regions = predict(weights, np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2))
    ax.pcolormesh(side, side, regions.reshape(300, 300), cmap=colours, alpha=0.4)
    ax.scatter(*X.T, c=t, cmap=colours, s=12.0, edgecolors="white", linewidths=0.4)


def main(path="network.png", h=16):
    """Train a network of each output layer, and draw both."""
    figure = Figure(figsize=(9.0, 4.5), layout="constrained")
    left, right = figure.subplots(ncols=2)
    for ax, classes, K, output in ((left, 2, 1, logistic_output), (right, 3, 3, softmax_output)):
        rng = np.random.default_rng(0)
        X, t = spirals(200 * classes, classes, rng)
        weights = Weights(*(rng.normal(size=size) for size in ((2, h), h, (h, K), K)))
        error = gradient_error(weights, X, t, output)
        loss = descend(weights, X, t, output)
        accuracy = np.mean(predict(weights, X) == t)
        ax.set_title(f"{classes} classes: loss {loss:.4f}, {accuracy:.1%} right")
        print(f"{ax.get_title()}, gradient within {error:.0e}")
        draw(ax, weights, X, t)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main(*sys.argv[1:])
