//! Private peer groups for programs, with no server: identities, groups, direct connections
