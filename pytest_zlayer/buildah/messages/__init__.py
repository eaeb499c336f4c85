"""What buildah writes when something is wrong: nothing else reads its messages."""
