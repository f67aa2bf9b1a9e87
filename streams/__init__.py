"""What runs? The Faust application, its batch transport, the agents, settings and the command line."""
