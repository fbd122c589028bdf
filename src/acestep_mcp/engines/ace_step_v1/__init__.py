"""ACE-Step v1 (3.5 B): our own compact PyTorch engine for the published weights."""
