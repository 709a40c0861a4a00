/* thft -- requests in the framing of Thrift clients; frame.h has the rest. */
#ifndef HOST_RDSN_THFT_H
#define HOST_RDSN_THFT_H

#include "host/rdsn/frame.h"

/* frame_parse, of a stream that begins with "THFT". */
br_status thft_parse_request(br_bytes bytes, uint32_t body_max, struct frame *ret_frame,
                             size_t *ret_need, struct fail *ret_fail);

#endif
