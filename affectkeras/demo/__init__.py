"""The demo page: a video or photo goes in; face, sector and curves are seen frame by frame."""
