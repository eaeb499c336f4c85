"""What instructions become: operations, mounts, the image configuration."""
