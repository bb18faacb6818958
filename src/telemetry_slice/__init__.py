"""Telemetry Slice: a multi-tenant telemetry platform."""
