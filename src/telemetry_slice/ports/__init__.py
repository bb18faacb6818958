"""The interfaces between the flow and the engines, split by who calls them. This package is the architecture document.

Every method takes the tenant first where data of tenants is meant, and is one transaction. Times are int microseconds
UTC (`*_us`), durations seconds (`*_s`). Engines raise `UnavailableError` when they cannot be reached or an answer was
lost, so that the caller knows the outcome is unknown.
"""
