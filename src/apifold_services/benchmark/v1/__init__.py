"""QTIP's API, version 1.0."""
