"""Pages for people: the builder with its content security policy, and the assets."""
