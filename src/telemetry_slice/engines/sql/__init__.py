"""What the SQL engines share: tables, registry, reads, migrations; SQLAlchemy Core, no dialect in sight."""
