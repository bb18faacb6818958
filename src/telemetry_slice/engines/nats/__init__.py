"""The queue of a distributed installation: NATS JetStream through nats-py."""
