"""The loops that papers share, each ten to twenty lines; a strategy is an engine plus one idea."""
