"""The PostgreSQL engine (15 and newer) through psycopg 3: registry, event store and reads behind row-level security."""
