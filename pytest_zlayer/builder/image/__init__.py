"""What a test holds: Image, Container, ImagePath."""
