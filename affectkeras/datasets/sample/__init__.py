"""Sample data, drawn on the spot and written in the data sets' own raw layouts.

It shows that everything runs and what a report looks like; its figures say nothing about people.
"""

from affectkeras.datasets.sample.sfew_layout import sample_sfew, write_sample_sfew

__all__ = ["sample_sfew", "write_sample_sfew"]
