"""The gate: decode, validate, limit, enqueue; a receipt only when the queue is durable."""
