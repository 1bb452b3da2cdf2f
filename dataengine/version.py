"""The version of the package; part of every manifest, not of any fingerprint."""

__version__ = "0.1.0"
