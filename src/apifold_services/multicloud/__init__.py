"""Multi-cloud: one API in front of several clouds."""
