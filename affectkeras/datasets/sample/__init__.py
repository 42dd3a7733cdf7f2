"""Sample data, drawn on the spot and written in the data sets' own raw layouts.

It shows that everything runs and what a report looks like; its figures say nothing about people.
"""
