"""Fields of recsim-ng values side by side in two matrices, one of floats and one of integers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from driftrec.envs.recsim_ng.library import library

WIDEST_FLOAT = "float32"


class Field(NamedTuple):
    """A field of a variable's value, and where it lies.

    Attributes:
        variable: its name.
        name: of the field.
        dtype: of the field, by name.
        shape: without the axis of rows.
        matrix: 0 for floats, 1 for integers and booleans.
        columns: in that matrix.
    """

    variable: str
    name: str
    dtype: str
    shape: tuple[int, ...]
    matrix: int
    columns: slice


class Layout:
    """Where the fields of some variables lie.

    Args:
        values: recsim-ng values by the name of the variable.
        rows: the first axis of every field; None for values that have no such axis, which become
            one row.

    Raises:
        ValueError: if a field has another first axis, or a type that does not fit.
    """

    def __init__(self, values: Mapping[str, Any], rows: int | None) -> None:
        self.fields: list[Field] = []
        self._variables = list(values)
        self._rows = rows
        self.widths = [0, 0]
        for variable, value in values.items():
            for name, tensor in value.as_dict.items():
                self._add(variable, name, library().tf.convert_to_tensor(tensor))

    def _add(self, variable: str, name: str, tensor: Any) -> None:
        dtype, shape = tensor.dtype, tuple(tensor.shape)
        if self._rows is not None:
            if not shape or shape[0] != self._rows:
                raise ValueError(
                    f"field {name!r} of {variable!r} must have the {self._rows} users as its first "
                    f"axis, got shape {shape}: give every field of users, responses and metrics "
                    "one row a user"
                )
            shape = shape[1:]
        if not (dtype.is_integer or dtype.is_bool or dtype.name == WIDEST_FLOAT):
            raise ValueError(
                f"field {name!r} of {variable!r} must be float32, integers or booleans, "
                f"got {dtype.name}: cast it"
            )
        matrix = 0 if dtype.name == WIDEST_FLOAT else 1
        first, size = self.widths[matrix], int(np.prod(shape))
        columns = slice(first, first + size)
        self.fields.append(Field(variable, name, dtype.name, shape, matrix, columns))
        self.widths[matrix] += size

    def pack(self, values: Mapping[str, Any]) -> tuple[Any, Any]:
        """The matrices, float32 and int64 `(rows, width)`, of recsim-ng values."""
        tf, rows = library().tf, self._rows or 1
        parts: tuple[list[Any], list[Any]] = (
            [tf.zeros((rows, 0), tf.float32)],
            [tf.zeros((rows, 0), tf.int64)],
        )
        for field in self.fields:
            tensor = tf.convert_to_tensor(values[field.variable].get(field.name))
            size = field.columns.stop - field.columns.start
            column = tf.cast(tf.reshape(tensor, (rows, size)), parts[field.matrix][0].dtype)
            parts[field.matrix].append(column)
        return tf.concat(parts[0], 1), tf.concat(parts[1], 1)

    def unpack(self, *matrices: Any) -> dict[str, Any]:
        """The recsim-ng values of two matrices."""
        tf, rows = library().tf, () if self._rows is None else (self._rows,)
        found: dict[str, dict[str, Any]] = {variable: {} for variable in self._variables}
        for field in self.fields:
            column = matrices[field.matrix][:, field.columns]
            tensor = tf.cast(tf.reshape(column, rows + field.shape), field.dtype)
            found[field.variable][field.name] = tensor
        return {variable: library().Value(**fields) for variable, fields in found.items()}

    def read(self, *matrices: np.ndarray) -> Iterator[tuple[Field, np.ndarray]]:
        """Each field, and its values `(rows, ...)` in two matrices of numpy."""
        for field in self.fields:
            columns = matrices[field.matrix][:, field.columns]
            yield field, columns.reshape(-1, *field.shape).astype(field.dtype)
