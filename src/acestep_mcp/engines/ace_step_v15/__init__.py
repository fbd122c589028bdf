"""ACE-Step 1.5 through the pipeline of diffusers."""
