"""ACE-Step 1.5 through the pipeline of diffusers. What it shares with v1 (options, downloads, devices) lies there."""
