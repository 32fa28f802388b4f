"""Where the API is at a server, for the server and its clients."""

#: How the paths of all its routes begin.
API = "/model-registry"
