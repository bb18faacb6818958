"""How things are kept and moved: one package or module a technology."""
