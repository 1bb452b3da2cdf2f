"""Reading over the network: which servers (`policy`), how (`http`, `s3`), and the result as a file (`file`)."""

from dataengine.remote.policy import NetworkConfig, current, is_remote, parse, use, using

__all__ = ["NetworkConfig", "current", "is_remote", "parse", "use", "using"]
