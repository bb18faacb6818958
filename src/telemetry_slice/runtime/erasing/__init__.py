"""Where the telemetry of tenants lies that are erased: `folder`, `database`."""
