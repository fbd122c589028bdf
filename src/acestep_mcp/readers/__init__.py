"""Readers of what people write: tags, wishes and lyrics, for every engine and the songwriter."""
