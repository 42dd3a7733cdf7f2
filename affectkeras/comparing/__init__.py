"""Figures beside each other: of arms, of runs, of papers."""
