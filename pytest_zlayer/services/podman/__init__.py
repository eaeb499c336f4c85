"""Services through podman, on the storage in which the images lie already."""
