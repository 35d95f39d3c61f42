from tests.runs.toy_parts import home

__all__ = ["home"]
