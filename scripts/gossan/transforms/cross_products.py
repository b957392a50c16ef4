"""Sums of the products of every two rows of numbers; those of int16 are exact, and fast.

The BLAS multiplies floating point alone. Processors have an instruction that multiplies vectors of
int16 and adds up neighbouring products, eight times as many at once as of float64. Compilers take
it for vectors that are widened, multiplied and added so, but do not find them in plain loops;
`_add_tile` spells the vectors out, in the compiler's terms, which are of no kind of processor.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from gossan.kernels import aligned_zeros, kernel

# Numbers of a vector of 64 bytes. Sums of a tile of rows by rows stay in registers.
LANES = {"int16": 32, "float64": 8}
TILE = 4


def make_rows(count: int, length: int, dtype: str) -> np.ndarray:
    """Zeros for `count` rows of `length` int16 or float64, or more, which fills whole tiles."""
    lanes = LANES[dtype]
    return aligned_zeros((-(-count // TILE) * TILE, -(-length // lanes) * lanes), dtype)


def make_sums(rows: np.ndarray) -> np.ndarray:
    """Zeros for sums of products of rows: (rows, rows) int64 of int16, float64 of float64."""
    return np.zeros((len(rows), len(rows)), rows.dtype.kind + "8")


def add_products(rows: np.ndarray, sums: np.ndarray) -> None:
    """Add rows @ rows.T to `sums`, on and below the diagonal; both are as made above.

    Rows of int16 hold no -32768.
    """
    length = rows.shape[1]
    if rows.dtype.kind == "i":
        # Each lane adds up two products a step, of which so many fit into 32 bits.
        reach = max(int(rows.max()), -int(rows.min()), 1)
        length = LANES["int16"] * ((2**31 - 1) // (2 * reach**2))
    _add_all_tiles(rows, length, sums)


@kernel
def _add_all_tiles(rows, length, sums):
    for start in range(0, rows.shape[1], length):
        stop = min(start + length, rows.shape[1])
        for i in range(0, rows.shape[0], TILE):
            for j in range(0, i + 1, TILE):
                _add_tile(rows, i, j, start, stop, sums)


class _Shorts:
    """Products of int16: two neighbours at a time in lanes of int32, in the end in int64."""

    lanes = LANES["int16"]
    read = ir.VectorType(ir.IntType(16), lanes)
    wide = ir.VectorType(ir.IntType(32), lanes)
    held = ir.VectorType(ir.IntType(32), lanes // 2)
    long = ir.VectorType(ir.IntType(64), lanes // 2)

    @classmethod
    def add(cls, builder, total, first, second):
        product = builder.mul(builder.sext(first, cls.wide), builder.sext(second, cls.wide))
        even, odd = (
            builder.shuffle_vector(product, product, ir.Constant(cls.held, list(places)))
            for places in (range(0, cls.lanes, 2), range(1, cls.lanes, 2))
        )
        return builder.add(total, builder.add(even, odd))

    @classmethod
    def end(cls, builder, so_far, total):
        whole = ir.FunctionType(cls.long.element, [cls.long])
        name = f"llvm.vector.reduce.add.v{cls.lanes // 2}i64"
        function = cgutils.get_or_insert_function(builder.module, whole, name)
        return builder.add(so_far, builder.call(function, [builder.sext(total, cls.long)]))


class _Doubles:
    """Products of float64, which may be added up in any order."""

    lanes = LANES["float64"]
    read = held = ir.VectorType(ir.DoubleType(), lanes)

    @classmethod
    def add(cls, builder, total, first, second):
        product = builder.fmul(first, second, flags=("contract",))
        return builder.fadd(total, product, flags=("contract",))

    @classmethod
    def end(cls, builder, so_far, total):
        whole = ir.FunctionType(cls.read.element, [cls.read.element, cls.read])
        name = f"llvm.vector.reduce.fadd.v{cls.lanes}f64"
        function = cgutils.get_or_insert_function(builder.module, whole, name)
        return builder.call(function, [so_far, total], fastmath=("reassoc",))


@intrinsic
def _add_tile(_, rows, i, j, start, stop, sums):
    """Add the products of the rows from `i` on with those from `j` on, columns start to stop."""
    numbers = _Shorts if rows.dtype == types.int16 else _Doubles

    def build(context, builder, signature, arguments):
        def place(which, *position):
            kind = signature.args[which]
            array = context.make_array(kind)(context, builder, arguments[which])
            return cgutils.get_item_pointer(context, builder, kind, array, position)

        def load(row, column):
            pointer = builder.bitcast(place(0, row, column), numbers.read.as_pointer())
            return builder.load(pointer, align=rows.dtype.bitwidth // 8)

        i, j, start, stop = arguments[1:5]
        upper, left = (
            [builder.add(first, first.type(step)) for step in range(TILE)] for first in (i, j)
        )
        zero = ir.Constant(numbers.held, None)
        totals = {
            (row, other): cgutils.alloca_once_value(builder, zero)
            for row in range(TILE)
            for other in range(TILE)
        }
        step = start.type(numbers.lanes)
        with cgutils.for_range_slice(builder, start, stop, step) as (column, _):
            first = [load(row, column) for row in upper]
            second = [load(row, column) for row in left]
            for (row, other), total in totals.items():
                added = numbers.add(builder, builder.load(total), first[row], second[other])
                builder.store(added, total)
        for (row, other), total in totals.items():
            target = place(5, upper[row], left[other])
            builder.store(numbers.end(builder, builder.load(target), builder.load(total)), target)
        return context.get_dummy_value()

    return types.void(rows, i, j, start, stop, sums), build
