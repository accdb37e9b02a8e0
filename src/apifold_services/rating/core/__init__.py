"""The rating core: points, rules, processors, storage, pipeline. No HTTP."""
