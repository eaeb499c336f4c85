"""What users declare and set: arguments of declarations and options become values."""
