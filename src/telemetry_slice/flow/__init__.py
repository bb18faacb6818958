"""What happens to an event, one module or package a stage; no stage imports another."""
