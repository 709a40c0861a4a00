/* stream -- see stream.h.  Plain events rather than bufferevents: those keep chains of chunks, and
 * a reply of many megabytes would be copied once more to lie in one piece.
 */
#include "host/rdsn/stream.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

void stream_open(struct stream *stream, struct event_base *base, int fd, struct buf *shared,
                 event_callback_fn on_read, event_callback_fn on_write, void *arg)
{
    *stream = (struct stream){ .fd = fd, .shared = shared };
    event_assign(&stream->read_event, base, fd, EV_READ | EV_PERSIST, on_read, arg);
    event_assign(&stream->write_event, base, fd, EV_WRITE | EV_PERSIST, on_write, arg);
}

void stream_close(struct stream *stream)
{
    if (stream->fd < 0)
        return;
    event_del(&stream->read_event);
    event_del(&stream->write_event);
    close(stream->fd);
    stream->fd = -1;
    stream->reading = stream->writing = stream->in_shared = false;
    buf_done(&stream->in);
    buf_done(&stream->out);
    stream->in_used = stream->out_sent = stream->need = 0;
}

void stream_read_on(struct stream *stream)
{
    if (!stream->reading)
        event_add(&stream->read_event, NULL);
    stream->reading = true;
}

void stream_read_off(struct stream *stream)
{
    if (stream->reading)
        event_del(&stream->read_event);
    stream->reading = false;
}

void stream_write_on(struct stream *stream)
{
    if (!stream->writing)
        event_add(&stream->write_event, NULL);
    stream->writing = true;
}

/* How much to ask for: all that a large frame still needs, but never more than there is already,
 * so that memory follows the bytes and not the length that a peer claims. */
static size_t stream_room(const struct stream *stream, size_t have)
{
    size_t room = stream->need > have ? stream->need - have : 0;
    if (room > have)
        room = have;
    return room > STREAM_READ_MAX ? room : STREAM_READ_MAX;
}

int stream_read(struct stream *stream)
{
    struct buf *buf = &stream->in;
    if (buf->size == 0) {
        buf = stream->shared;
        buf_clear(buf);
    }
    size_t room = stream_room(stream, stream->in.size - stream->in_used);
    buf_reserve(buf, room);
    ssize_t got = read(stream->fd, buf->data + buf->size, room);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? STREAM_NOTHING : STREAM_ERROR;
    if (got == 0)
        return STREAM_END;
    buf->size += (size_t) got;
    stream->in_shared = buf == stream->shared;
    return STREAM_DATA;
}

br_bytes stream_bytes(const struct stream *stream)
{
    const struct buf *buf = stream->in_shared ? stream->shared : &stream->in;
    if (buf->size == stream->in_used)
        return (br_bytes){ NULL, 0 };
    return (br_bytes){ buf->data + stream->in_used, buf->size - stream->in_used };
}

void stream_settle(struct stream *stream)
{
    br_bytes rest = stream_bytes(stream);
    if (stream->in_shared) {
        stream->in_shared = false;
        if (rest.size > 0)
            buf_put(&stream->in, rest.data, rest.size);
        stream->in_used = 0;
    } else if (rest.size == 0) {
        buf_done(&stream->in);
        stream->in_used = 0;
    } else if (stream->in_used > stream->in.size / 2) {
        memmove(stream->in.data, rest.data, rest.size);
        stream->in.size = rest.size;
        stream->in_used = 0;
    }
}

void stream_send_soon(struct stream *stream)
{
    if (!stream->writing)
        event_active(&stream->write_event, EV_WRITE, 1);
}

/* Everything was sent, or some of it: give memory back, or move the rest to the front. */
static void stream_trim(struct stream *stream)
{
    struct buf *out = &stream->out;
    if (stream->out_sent == out->size) {
        stream->out_sent = 0;
        if (out->cap > STREAM_KEEP_MAX)
            buf_done(out);
        else
            buf_clear(out);
    } else if (stream->out_sent > out->size / 2) {
        out->size -= stream->out_sent;
        memmove(out->data, out->data + stream->out_sent, out->size);
        stream->out_sent = 0;
    }
}

bool stream_flush(struct stream *stream)
{
    bool full = false;
    while (!full && stream_waiting(stream) > 0) {
        ssize_t sent = send(stream->fd, stream->out.data + stream->out_sent, stream_waiting(stream),
                            MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            return false;
        full = sent < 0 && errno == EAGAIN;
        if (sent > 0) {
            stream->out_sent += (size_t) sent;
            stream->sent += (uint64_t) sent;
        }
    }
    stream_trim(stream);
    if (full) {
        stream_write_on(stream);
    } else if (stream->writing) {
        event_del(&stream->write_event);
        stream->writing = false;
    }
    return true;
}

br_time stream_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (br_time) now.tv_sec * BR_SECOND + now.tv_nsec;
}
