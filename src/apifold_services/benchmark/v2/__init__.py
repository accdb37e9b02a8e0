"""The API v2: jobs and results as resources."""
