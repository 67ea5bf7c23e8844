"""Figures in, numbers of a drawing out. Pure: no model, no clock, no request."""
