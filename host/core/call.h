/* call -- one operation of a plugin in flight, from issue to exactly one delivery.
 *
 *     issued --plugin replies--> mailbox --loop--> delivered to consumer --> freed
 *        |                                              ^
 *        +--deadline or cancel: consumer told now       | (late reply: dropped, freed)
 *
 * The consumer is never called from inside the function that issued the call.  A second reply is a
 * bug of the plugin's and aborts with its name.
 */
#ifndef HOST_CORE_CALL_H
#define HOST_CORE_CALL_H

#include "host/base/arena.h"
#include "host/base/fail.h"
#include "host/core/loop.h"
#include <bridle/plugin.h>

/* Bytes of `what`: longer is cut.  Finished calls of a plugin kept to recognise second replies. */
#define CALL_WHAT_MAX       256
#define CALL_QUARANTINE_MAX 1024

struct call_book;

/* What the host keeps per plugin, beside what the plugin sees; made by host/plugins.  For the
 * loop thread. */
struct call_owner {
    struct br_env env; /* first */
    struct loop *loop;
    const char *who;        /* "store zookeeper": for messages */
    uint32_t outstanding;   /* calls whose reply has not come home yet */
    struct call *calls;     /* all of them, linked */
    struct call_book *book; /* what outlives the owner while something still points to it */
    struct fail fail;       /* the last br_fail, who included; status BR_OK: none since cleared */
};

/* `who` must outlive the owner, `instance` (env.instance) whatever `state` below outlives.  `self`
 * becomes env.self. */
void call_owner_init(struct call_owner *owner, struct loop *loop, const char *who,
                     const char *instance, void *self);

/* What the plugin is to be given as its env: the same as owner->env, but it lives as long as the
 * plugin may still hold a call, which may be longer than the owner. */
struct br_env *call_env(struct call_owner *owner);

/* Disarms every timer that the plugin has still armed: before its close(). */
void call_owner_disarm(struct call_owner *owner);

/* After the plugin's close(): what it posted and is not yet run is dropped; calls never replied to
 * are named in the log and their consumers told (soon, from the loop); `state` (malloc'ed, may be
 * NULL) and what `arena` holds are freed with the last call of which the plugin may still have a
 * pointer: at once, where every call was replied to.  A reply after this is dropped. */
void call_owner_done(struct call_owner *owner, void *state, struct arena *arena);

struct call_answer {
    br_status status;
    const char *code;    /* the other side's own name of the error, or NULL */
    const char *message; /* the sentence, with who and what put before it; "" on success */
    br_bytes value;
    int64_t version;
    const struct br_chunk *chunks; /* rows; row_size may differ from ours: see call_row */
    struct arena *arena; /* holds value and rows; arena_adopt() to keep them past the delivery */
};

typedef void call_done(void *arg, struct call_answer *answer);

/* The status that a passed deadline gives: reads BR_TIMEOUT, writes BR_UNKNOWN. */
enum call_kind { CALL_READ = 0, CALL_WRITE = 1 };

/* timeout 0: none.  `what` ("commit 3 of 7") is copied, for messages.  Hand the result to the
 * plugin's function at once.  It is yours to cancel or to forget until `done` was called. */
struct br_call *call_new(struct call_owner *owner, enum call_kind kind, br_time timeout,
                         const char *what, call_done *done, void *arg);

/* Memory that lives until the plugin has replied: for what the plugin is given. */
struct arena *call_memory(struct br_call *call);

/* A reply with rows must be rows of this kind (BR_ROW_NAME ...), `count` of them (-1: any number);
 * else the consumer gets BR_CORRUPT.  kind 0: no rows are expected and none are looked at. */
void call_expect(struct br_call *call, int32_t kind, int64_t count);

/* The host's own reply in a plugin's stead, where it has no function for this. */
BR_PRINTF(3, 4)
void call_refuse(struct br_call *call, br_status status, const char *format, ...);

/* The consumer is told soon, unless it was already: what the plugin replied, where it did so in
 * time, else BR_CANCELED (reads) or BR_UNKNOWN (writes).  ops_cancel, the plugin's hint function,
 * may be NULL. */
void call_cancel(struct br_call *call, void (*ops_cancel)(struct br_env *, struct br_call *));

/* The consumer is never told; for consumers that go away. */
void call_forget(struct br_call *call);

/* Row `index` of a chunk as the host knows it: in place where the sizes agree, else copied into
 * *room (zero-filled behind what the plugin knew). */
const void *call_row(const struct br_chunk *chunk, uint32_t index, void *room, size_t size);

/* The table of functions that plugins see (services.c). */
extern const struct br_host call_services;

/* Where findings of a policy go: the struct behind br_findings.  The sentence has at most
 * BR_FINDING_TEXT_MAX bytes and no control character; `subject` and its strings are the
 * plugin's: copy what is kept. */
struct br_findings {
    void (*find)(struct br_findings *findings, const struct br_subject *subject,
                 const char *sentence);
};

#endif
