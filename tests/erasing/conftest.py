from tests.moving.conftest import new_end

__all__ = ["new_end"]
