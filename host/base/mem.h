/* mem -- allocation that cannot fail.
 *
 * A daemon that cannot get a few hundred bytes cannot do anything sensible about it: these
 * functions say so on stderr and end the process at once, with MEM_EXIT.  It is no bug that a core
 * dump would explain; and since everything may be killed at any moment, nothing is lost by it that
 * a kill would not lose.  Sizes that come from outside never reach them unchecked: whoever reads a
 * length checks it against a named limit or against bytes that are already there.
 */
#ifndef HOST_BASE_MEM_H
#define HOST_BASE_MEM_H

#include <stddef.h>

#define MEM_EXIT 71 /* EX_OSERR */

/* Somebody else's allocation of so many bytes was refused: the same end. */
_Noreturn void mem_refused(size_t size);

/* Zeroed.  Free with free(). */
void *mem_new(size_t size);

/* count * size bytes, zeroed; overflow is more than there is. */
void *mem_array(size_t count, size_t size);

/* realloc; what is new is not zeroed. */
void *mem_grow(void *old, size_t size);

/* A copy of a string (NULL gives NULL). */
char *mem_text(const char *text);

#endif
