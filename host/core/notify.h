/* notify -- tells the service manager that started this process how far it is: one datagram to the
 * socket that NOTIFY_SOCKET names, as sd_notify(3) describes it.  Any thread; never blocks.
 */
#ifndef HOST_CORE_NOTIFY_H
#define HOST_CORE_NOTIFY_H

#include "host/base/fail.h"

/* "READY=1", "STOPPING=1".  BR_OK: told, or nobody asked to be told (no NOTIFY_SOCKET); else why
 * the manager may wait in vain, which is no reason to stop. */
br_status notify_manager(const char *state, struct fail *ret_fail);

#endif
