"""What both model engines use. Importing it does not import torch."""
