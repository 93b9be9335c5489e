"""A page that shows every book and every worker, live; it reads the checkpoint and changes nothing."""
