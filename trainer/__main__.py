"""``python -m trainer`` is ``trainer``."""

from trainer.cli import main

main(prog_name="trainer")
