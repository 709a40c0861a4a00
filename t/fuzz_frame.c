/* fuzz_frame -- any bytes as a stream of frames, as an accepted connection and as a THFT client
 * sees it.  What is taken must lie inside the bytes and must, written again, be read as the same.
 */
#include <assert.h>
#include <string.h>

#include "host/rdsn/frame.h"
#include "t/fuzz.h"

#define FUZZ_BODY_MAX 65536

static void same_frame(const struct frame *a, const struct frame *b)
{
    assert(strcmp(a->header.rpc_name, b->header.rpc_name) == 0);
    assert(a->header.id == b->header.id);
    assert(a->header.app_id == b->header.app_id && a->header.partition == b->header.partition);
    assert(a->header.partition_hash == b->header.partition_hash);
    assert(a->header.timeout_ms == b->header.timeout_ms);
    assert(a->header.thread_hash == b->header.thread_hash);
    assert(a->header.context == b->header.context);
    assert(a->body.size == b->body.size);
    if (a->body.size >= 3) /* the wrapper's field id may differ */
        assert(memcmp((const char *) a->body.data + 3, (const char *) b->body.data + 3,
                      a->body.size - 3)
               == 0);
}

static void write_again(const struct frame *frame)
{
    struct buf buf = { 0 };
    struct frame again;
    size_t need;
    if (frame->framing == FRAMING_RDSN)
        frame_put(&buf, &frame->header, frame->body, frame->header.body_crc != 0);
    else if (frame->body.size >= 3)
        frame_put_thft_request(&buf, &frame->header, frame->thft_version, frame->body);
    else
        return;
    br_status status = frame_parse(buf_bytes(&buf), 0, FRAME_BODY_MAX, &again, &need, NULL);
    assert(status == BR_OK && again.size == buf.size);
    same_frame(frame, &again);
    buf_done(&buf);
}

static void inside(br_bytes bytes, const struct frame *frame)
{
    const char *start = bytes.data, *body = frame->body.data;
    assert(frame->size > 0 && frame->size <= bytes.size);
    assert(body >= start && body + frame->body.size == start + frame->size);
    assert(frame->body.size <= FUZZ_BODY_MAX + 2 * RDSN_NAME_SIZE);
}

static void stream(br_bytes bytes, bool replies)
{
    int framing = 0;
    for (;;) {
        struct frame frame;
        struct fail fail = { 0 };
        size_t need = 0;
        br_status status = replies
                               ? frame_parse_thft_reply(bytes, FUZZ_BODY_MAX, &frame, &need, &fail)
                               : frame_parse(bytes, framing, FUZZ_BODY_MAX, &frame, &need, &fail);
        if (status == BR_UNAVAILABLE)
            assert(need > bytes.size && need < FUZZ_BODY_MAX + 2 * THFT_META_MAX);
        else if (status != BR_OK)
            assert(fail.status == status && fail.text[0]);
        if (status != BR_OK)
            return;
        inside(bytes, &frame);
        if (!replies)
            write_again(&frame);
        framing = frame.framing;
        bytes = (br_bytes){ (const char *) bytes.data + frame.size, bytes.size - frame.size };
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    stream((br_bytes){ data, size }, false);
    stream((br_bytes){ data, size }, true);
    return 0;
}
