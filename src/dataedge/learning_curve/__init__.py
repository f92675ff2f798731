"""Sizes of train side → errors → a scaling law → a forecast."""
