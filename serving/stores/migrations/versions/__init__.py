"""One file for each version, oldest first; none is changed once a build with it was released."""
