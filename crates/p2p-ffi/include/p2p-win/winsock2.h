/* For sources written for Windows: what they take from <winsock2.h>, as far as p2p_win.h has it. */
#include "../p2p_win.h"
