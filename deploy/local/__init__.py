"""Real servers for one machine, without containers: tests and `make up-distributed` start them."""
