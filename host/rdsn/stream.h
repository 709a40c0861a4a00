/* stream -- a non-blocking TCP socket with one flat buffer each way, under client and server.
 *
 * A frame must lie in one piece to be parsed, and a body to be decoded; so bytes are read to where
 * they stay, and what is whole is used in place.  While no part of a frame is waiting, a stream
 * holds no memory of its own: it reads into a buffer that all streams of an owner share.
 * Loop thread only.
 */
#ifndef HOST_RDSN_STREAM_H
#define HOST_RDSN_STREAM_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "host/base/buf.h"

#define STREAM_READ_MAX (256u << 10) /* bytes of one read, but for the rest of a large frame */
#define STREAM_KEEP_MAX (64u << 10)  /* bytes of output memory that an empty stream may keep */

struct stream {
    int fd; /* -1: closed */
    bool reading;
    bool writing;   /* waiting until the socket takes more */
    bool in_shared; /* the bytes last read lie in the shared buffer */
    struct event read_event;
    struct event write_event;
    struct buf *shared;
    struct buf in;
    size_t in_used; /* bytes of the current input that were used */
    size_t need;    /* bytes that the next frame needs at least */
    struct buf out; /* append to it, then stream_send_soon() */
    size_t out_sent;
    uint64_t sent; /* bytes ever sent */
};

enum { STREAM_DATA = 1, STREAM_NOTHING = 0, STREAM_END = -1, STREAM_ERROR = -2 };

/* Takes over the descriptor.  The callbacks get `arg`; nothing is awaited yet. */
void stream_open(struct stream *stream, struct event_base *base, int fd, struct buf *shared,
                 event_callback_fn on_read, event_callback_fn on_write, void *arg);

/* Closes and frees everything; harmless on a closed one. */
void stream_close(struct stream *stream);

/* Call on_read when there is something to read, or no longer. */
void stream_read_on(struct stream *stream);
void stream_read_off(struct stream *stream);

/* Call on_write when the socket takes more. */
void stream_write_on(struct stream *stream);

/* Read once: STREAM_DATA ... (STREAM_ERROR: errno). */
int stream_read(struct stream *stream);

/* What was read and not yet used; valid until stream_settle. */
br_bytes stream_bytes(const struct stream *stream);

/* The first `size` bytes of it are done with. */
static inline void stream_use(struct stream *stream, size_t size)
{
    stream->in_used += size;
}

/* After the frames: keep what was not used for the next time. */
void stream_settle(struct stream *stream);

/* Bytes of output not yet sent. */
static inline size_t stream_waiting(const struct stream *stream)
{
    return stream->out.size - stream->out_sent;
}

/* Call on_write soon, once for everything appended until then. */
void stream_send_soon(struct stream *stream);

/* From on_write: send what the socket takes.  false: the connection is lost (errno). */
bool stream_flush(struct stream *stream);

/* The monotonic clock, as coarse as libevent's timers. */
br_time stream_now(void);

/* For event_add. */
static inline struct timeval stream_timeval(br_time time)
{
    if (time < 0)
        time = 0;
    return (struct timeval){ .tv_sec = (time_t) (time / BR_SECOND),
                             .tv_usec = (suseconds_t) (time % BR_SECOND / 1000) };
}

#endif
