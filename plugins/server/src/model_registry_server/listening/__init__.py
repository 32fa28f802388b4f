"""From an application to a server that listens, until it is told to stop: connections, and the end of the process."""
