"""What the container storage provides: base images, mounted images, transfers."""
