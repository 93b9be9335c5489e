"""Producer: an EPUB in, a plan in storage, jobs on the topic, and the finished book back."""
