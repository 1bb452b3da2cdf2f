"""Personal data and secrets in text: found by shape, check digits and the words around, never by a model.

    >>> from dataengine.pii.scan import find
    >>> find("Call +44 20 7946 0958 or write to ann@example.org.")
    [(5, 21, 'phone'), (34, 49, 'email')]

A compiled pass marks candidates (`dataengine.kernels.candidates`); the modules here judge them over a short window.
Each recogniser is a function of such a window and says what it has seen in a `Hit`; `scan` lets them look and settles
between findings that overlap; `scrub` replaces what was found in whole columns.
"""
