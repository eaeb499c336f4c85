"""Images that run: Service, readiness, networks; one protocol and two engines."""
