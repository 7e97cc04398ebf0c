"""The version of sfnb; a leaf, so that every room can name it without a circle of imports."""

__version__ = "0.1.0"
