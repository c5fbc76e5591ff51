//! Private peer groups: what a node keeps, in memory or on disk
