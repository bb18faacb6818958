"""What we talk about: events, tenants, principals, series, books. Standard library only, no I/O."""
