"""Who may do what, and how what comes in proves where it is from."""
