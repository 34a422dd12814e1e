"""The calculus: one file per transform, each a sweep over a tape or a recorder."""
