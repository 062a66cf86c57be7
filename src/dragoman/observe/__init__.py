"""What a running gateway tells about itself: its log and its metrics."""
