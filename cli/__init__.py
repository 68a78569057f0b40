"""What a person sees: the commands, the chat loop, the live view of the thinking.

Knows terminals, pipes, options and wording. Computes nothing about models: it asks the public API
and shows what comes back. Importing it imports neither MLX nor the rest of the package.
"""
