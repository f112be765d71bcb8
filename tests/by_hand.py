"""The formulas of the paper's network written out in NumPy, in float64."""

import numpy as np


def loss_and_gradient(parameters, x, y, loss: str, epsilon: float):
    """The loss of each sample, and the gradient of their mean for w1, w2, w3, b1, b2, b3."""
    w1, w2, w3, b1, b2, b3 = parameters
    rows = np.arange(len(y))
    h1 = np.maximum(x @ w1 + b1, 0)
    h2 = np.maximum(h1 @ w2 + b2, 0)
    z = h2 @ w3 + b3
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    true, slope = p[rows, y], p.copy()
    slope[rows, y] -= 1
    losses = -np.log(true)
    if loss == "clipped":
        losses = -np.log(np.clip(true, epsilon, 1 - epsilon))
        slope[(true < epsilon) | (true > 1 - epsilon)] = 0
    slope /= len(y)
    back2 = (slope @ w3.T) * (h2 > 0)
    back1 = (back2 @ w2.T) * (h1 > 0)
    found = (x.T @ back1, h1.T @ back2, h2.T @ slope, back1.sum(0), back2.sum(0), slope.sum(0))
    return losses, found
