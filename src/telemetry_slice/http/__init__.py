"""The HTTP door: the only place that knows the web framework."""
