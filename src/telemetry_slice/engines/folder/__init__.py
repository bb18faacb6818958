"""The folder that a server keeps on its own machine: whose it is, and the secrets of the installation."""
