"""Files of every opset become files of one opset, before anything else looks at their nodes."""
