//! Sockets: listeners, TLS, timeouts, the DNS resolver.
