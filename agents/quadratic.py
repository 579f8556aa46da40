"""Quadratic forms of many items in many users' matrices at once."""

from __future__ import annotations

import numpy as np

from driftrec.envs.arrays import Array


class QuadraticForms:
    """Computes x_j' M_i x_j for every user i and item j by one matrix product.

    A symmetric M has D (D + 1) / 2 distinct entries, and the form is linear in them.

    Args:
        vectors: x, `(items, D)`.
    """

    def __init__(self, vectors: Array) -> None:
        dimension = vectors.shape[1]
        row, column = np.triu_indices(dimension)
        twice = np.where(row == column, 1, 2).astype(np.float32)
        self._entries = row * dimension + column
        self._products = np.ascontiguousarray((vectors[:, row] * vectors[:, column] * twice).T)

    def __call__(self, matrices: Array) -> Array:
        """The forms, at least 0, `(users, items)`, of symmetric `matrices`, `(users, D, D)`."""
        entries = matrices.reshape(len(matrices), -1).take(self._entries, axis=1)
        forms = entries @ self._products
        return np.maximum(forms, 0, out=forms)
