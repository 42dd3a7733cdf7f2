"""Every reader of faces as a tensorflow-datasets builder.

With the extra `tfds` (the `tfds` command imports Apache Beam and mlcroissant at its start); the
last option, or those of a cluster, prepares on Beam:
    tfds build affectkeras/datasets/tfds_builders/affect_faces --config sfew --manual_dir DIR \\
        --beam_pipeline_options=runner=FnApiRunner,direct_running_mode=multi_processing,\\
direct_num_workers=2
Without it, and on Beam with `--beam-processes 2`:
    python -m affectkeras.datasets.tfds_builders.affect_faces --config sfew --manual-dir DIR
"""
