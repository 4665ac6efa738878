"""Checkpoints: what an optimizer is at rest, as a plain dict and as a file that is never half written."""

from thalweg.checkpoint.checks import CheckpointError
from thalweg.checkpoint.files import read, write
from thalweg.checkpoint.snapshot import ParameterSnapshot, Snapshot, dtype_of, from_dict, to_dict

__all__ = ["CheckpointError", "ParameterSnapshot", "Snapshot", "dtype_of", "from_dict", "read", "to_dict", "write"]
