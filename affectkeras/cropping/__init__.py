"""Faces cut from folders of photographs."""
