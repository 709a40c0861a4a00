/* libraries -- libevent and jansson get their memory as we do (host/base/mem.h): where the system
 * refuses it, the process says so and ends.  Else libevent would lose a timer or a byte in silence,
 * and a journal for which there is no memory would pass for one that is damaged.
 *
 * libyaml and getaddrinfo tell it from other errors by themselves, and their callers do the same.
 */
#ifndef HOST_CORE_LIBRARIES_H
#define HOST_CORE_LIBRARIES_H

/* First thing in main: what these libraries have allocated before is lost. */
void libraries_memory(void);

#endif
