"""What people say: declarations and options become values."""
