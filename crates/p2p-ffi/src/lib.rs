//! Private peer groups behind the C interface of Windows' p2p.h
