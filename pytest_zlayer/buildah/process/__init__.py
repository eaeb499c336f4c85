"""One command under the agent."""
