"""The plugins and components that keep what visitors send: what they are is data (known.py), in one vocabulary (shape.py)."""
