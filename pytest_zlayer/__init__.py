"""Container images for tests, built from Dockerfiles through buildah."""
