"""What is tried before a search measures anything, in seconds: data, network, device, disk."""
