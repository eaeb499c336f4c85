"""What goes into a build and how it fails: ImageSpec, BuildOptions, BuildError."""
