"""Bytes many at a time: eight of them as one number, sixty-four of them as bits.

Written in LLVM's own vectors, which it turns into AVX-512, AVX2, SSE2 or NEON, whatever the machine has. Nothing here
looks where an array ends, and an array's bytes must lie side by side. To be called from compiled code only.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

BYTE, NUMBER, BIT = ir.IntType(8), ir.IntType(64), ir.IntType(1)
WIDTH = 64
"""Bytes whose classes are told at a time."""
VECTOR = ir.VectorType(BYTE, WIDTH)


def _load(context, builder, signature, arguments, kind):
    """What lies at ``arguments[1]`` of the array ``arguments[0]``, wherever that is aligned."""
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    place = builder.bitcast(builder.gep(array.data, [arguments[1]]), kind.as_pointer())
    loaded = builder.load(place)
    loaded.align = 1
    return loaded


def _each(value):
    return ir.Constant(VECTOR, [value] * WIDTH)


def _between(builder, vector, first, last):
    """Which of the bytes are from `first` to `last`: one subtraction and one comparison."""
    return builder.icmp_unsigned("<", builder.sub(vector, _each(first)), _each(last - first + 1))


@intrinsic
def eight_bytes(typing_context, data, at):
    """``data[at:at + 8]`` as one uint64, the first byte the lowest (on a little-endian machine)."""

    def generate(context, builder, signature, arguments):
        return _load(context, builder, signature, arguments, NUMBER)

    return types.uint64(data, types.int64), generate


@intrinsic
def word_bits(typing_context, data, at):
    """Classes of ``data[at:at + 64]``, a bit each, the first byte's the lowest: two uint64.

    Of the first, ASCII letters and digits and all bytes above ASCII; of the second, bytes that begin a character of a
    kind that must be looked at (`kernels.shingles.LEADS`).
    """

    def generate(context, builder, signature, arguments):
        x = _load(context, builder, signature, arguments, VECTOR)
        letter = _between(builder, builder.or_(x, _each(0x20)), ord("a"), ord("z"))
        digit = _between(builder, x, ord("0"), ord("9"))
        high = builder.icmp_unsigned(">=", x, _each(0x80))
        lead = builder.or_(_between(builder, x, 0xE0, 0xE9), builder.icmp_unsigned("==", x, _each(0xC2)))
        lead = builder.or_(lead, builder.icmp_unsigned("==", x, _each(0xEF)))
        words = builder.or_(builder.or_(letter, digit), high)
        bits = [builder.bitcast(found, NUMBER) for found in (words, lead)]
        return context.make_tuple(builder, signature.return_type, bits)

    return types.UniTuple(types.uint64, 2)(data, types.int64), generate


@intrinsic
def lowest(typing_context, bits):
    """The number of the lowest bit that is set in a uint64; 64 if none is."""

    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(BIT, 0))

    return types.int64(types.uint64), generate
