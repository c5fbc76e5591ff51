//! Private peer groups: keys, certificates, membership chains and invitations
