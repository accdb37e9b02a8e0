"""Drivers: what makes servers, and does with them what they are asked."""
