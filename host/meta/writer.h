/* writer -- the leader's one way into the store: groups of writes, each atomic, packed into as few
 * fenced commits as the store's limits allow, several in flight.
 *
 * Groups issued in one turn of the loop travel together.  Every commit begins with a check of the
 * leader lock's fence.  A store that cannot be reached, or did not say what became of a commit,
 * makes its groups wait and be tried again, for as long as it takes (what may have happened is read
 * back first, where that matters); groups behind them wait with them.  A group that the store
 * refuses is tried alone, so that it does not hold up its neighbours, and then told to whoever
 * issued it.  When the fence is gone, `lost` is called once and no `done` any more.
 *
 * Two groups that write one path must not be under way at once: the issuer waits for the first.
 * Loop thread only.
 */
#ifndef HOST_META_WRITER_H
#define HOST_META_WRITER_H

#include "host/base/buf.h"
#include "host/plugins/plugin.h"

#define WRITER_PAUSE      (BR_SECOND) /* before what failed is tried again */
#define WRITER_FLIGHT_MAX 16          /* commits in flight, whatever the store would take */

struct writer;
struct write_group;

/* `fence` is copied; NULL: a store without locks.  lost(arg) comes from the loop, never from inside
 * a function below; free the writer then. */
struct writer *writer_new(struct loop *loop, struct plugin *store, const char *fence,
                          void (*lost)(void *arg), void *arg);

/* Nothing is told any more; commits in flight may still happen. */
void writer_free(struct writer *writer);

/* Nothing is sent while held (function levels up to blind); groups wait. */
void writer_hold(struct writer *writer, bool held);

/* BR_OK, or why the store refused it (never that it cannot be reached). */
typedef void write_done(void *arg, br_status status, const char *why);

/* Begin a group, add writes to it (path and value are copied), issue it.  A group must fit into one
 * commit: ask writer_room. */
struct write_group *writer_begin(struct writer *writer);
void writer_add(struct write_group *group, br_write_kind kind, const char *path, br_bytes value);
void writer_issue(struct write_group *group, write_done *done, void *arg);

/* How many further writes of this size (path and value) the group takes. */
uint32_t writer_room(const struct write_group *group, size_t size);

/* Nothing is to be told of it; the write itself goes on. */
void writer_forget(struct write_group *group);

/* Groups issued and not yet told; whether the store is being waited for. */
uint32_t writer_waiting(const struct writer *writer);
bool writer_stalled(const struct writer *writer);

#endif
