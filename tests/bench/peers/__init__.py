"""What a user would pick instead, each as its own documentation says. Scripts that need a venv of their own import
nothing of renkou."""
