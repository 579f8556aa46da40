"""Making the checkpoints that come with the package: what is trained, evaluated and written."""
