"""Sample data, drawn on the spot and written in the data sets' own raw layouts.

It shows that everything runs and what a report looks like; its figures say nothing about people.
"""

from affectkeras.datasets.sample.affwild_layout import sample_aff_wild, write_sample_aff_wild
from affectkeras.datasets.sample.e4_layout import sample_empatica_e4, write_sample_empatica_e4
from affectkeras.datasets.sample.kemocon_layout import sample_k_emocon, write_sample_k_emocon
from affectkeras.datasets.sample.pamap2_layout import sample_pamap2, write_sample_pamap2
from affectkeras.datasets.sample.sfew_layout import sample_sfew, write_sample_sfew
from affectkeras.datasets.sample.stress_predict_layout import (
    sample_stress_predict,
    write_sample_stress_predict,
)
from affectkeras.datasets.sample.thermal_layout import sample_anu_stress, write_sample_anu_stress
from affectkeras.datasets.sample.wesad_layout import sample_wesad, write_sample_wesad

__all__ = [
    "sample_aff_wild",
    "sample_anu_stress",
    "sample_empatica_e4",
    "sample_k_emocon",
    "sample_pamap2",
    "sample_sfew",
    "sample_stress_predict",
    "sample_wesad",
    "write_sample_aff_wild",
    "write_sample_anu_stress",
    "write_sample_empatica_e4",
    "write_sample_k_emocon",
    "write_sample_pamap2",
    "write_sample_sfew",
    "write_sample_stress_predict",
    "write_sample_wesad",
]
