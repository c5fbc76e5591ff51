//! Private peer groups: the core driven by tokio and QUIC
