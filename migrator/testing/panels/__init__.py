"""Emulators of hosting panels: HTTPS servers on loopback that keep state, answer in the vendor's shapes and misbehave on request."""
