"""Whether a chunk is a web or mail address, which the English splitter does not cut inside."""

from __future__ import annotations

from dataengine.kernels.english_characters import DIGIT, HOST, LETTER, LOWER
from dataengine.kernels.english_cuts import flags_of
from dataengine.kernels.part import part
from dataengine.kernels.token_arrays import character


@part
def is_address(data, lo, hi, classes):
    """Whether ``data[lo:hi]`` is a web or mail address: host names may begin at its start, behind ``://`` or any ``@``.

    Each candidate reads on to the first character that no host has, and none of them reads what another did.
    """
    if address_from(data, lo, hi, classes):
        return True
    scheme = True
    i = lo
    while i < hi:
        code, step = character(data, i, hi)
        if code == 64 and i > lo and address_from(data, i + 1, hi, classes):
            return True
        if scheme and code == 58 and i - lo >= 2 and i + 2 < hi and data[i + 1] == 47 and data[i + 2] == 47:
            if address_from(data, i + 3, hi, classes):
                return True
            scheme = False
        flags = flags_of(code, classes)
        scheme = scheme and (flags & (LETTER | DIGIT) > 0 or code == 95 or code == 43 or code == 45 or code == 46)
        i += step
    return False


@part
def address_from(data, lo, hi, classes):
    """Whether a host name begins at `lo` and nothing but a port and a path follows."""
    labels = 0
    size = 0  # characters of the label so far
    lower = True  # all of them lower case letters
    edge = False  # the last one may end a label
    i = lo
    while i < hi:
        code, step = character(data, i, hi)
        flags = flags_of(code, classes)
        if code == 46:
            if size == 0 or size > 64 or not edge:
                return address_of_numbers(data, lo, hi, classes)
            labels += 1
            size, lower = 0, True
        elif flags & HOST or ((code == 45 or code == 95) and size):
            size += 1
            lower = lower and flags & LOWER > 0
            edge = flags & HOST > 0
        else:
            break
        i += step
    if labels and lower and size >= 2 and size <= 63:
        return port_and_path(data, i, hi, classes)
    return address_of_numbers(data, lo, hi, classes)


@part
def address_of_numbers(data, lo, hi, classes):
    """Whether a public IPv4 address begins at `lo`, with nothing but a port and a path behind it."""
    i = lo
    first = second = 0
    for k in range(4):
        if k:
            if i >= hi or data[i] != 46:
                return False
            i += 1
        begin = i
        part = 0
        while i < hi and i < begin + 3 and classes[data[i]] & DIGIT:
            part = part * 10 + data[i] - 48
            i += 1
        edge = k == 0 or k == 3
        if i == begin or (part == 0 and i - begin > 2) or (edge and data[begin] == 48):
            return False
        if part > (223 if k == 0 else 254 if k == 3 else 255):
            return False
        if k == 0:
            first = part
        elif k == 1:
            second = part
    if first == 10 or first == 127 or (first == 169 and second == 254) or (first == 192 and second == 168):
        return False
    if first == 172 and second >= 16 and second < 32:
        return False
    return port_and_path(data, i, hi, classes)


@part
def port_and_path(data, i, hi, classes):
    """Whether ``data[i:hi]`` is empty, a port, a path, or both."""
    if i < hi and data[i] == 58:
        begin = i + 1
        i = begin
        while i < hi and i < begin + 5 and classes[data[i]] & DIGIT:
            i += 1
        if i - begin < 2:
            return False
    return i == hi or data[i] == 47 or data[i] == 63 or data[i] == 35
