"""Two implementations of one API, held against each other: differences, evidence, shadow, recordings."""

from apifold.compare.differences import Difference, Noise, differences
from apifold.compare.evidence import Evidence
from apifold.compare.recording import RecordedRequest, Recording, read_recording
from apifold.compare.shadow import Shadowing

__all__ = [
    "Difference",
    "Evidence",
    "Noise",
    "RecordedRequest",
    "Recording",
    "Shadowing",
    "differences",
    "read_recording",
]
